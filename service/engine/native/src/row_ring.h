// RowRing: the last few rows of a layer, so that a whole window stays in the second-level cache.
//
// A slot remembers which of its pixels were computed; the others hold air. When the next row of
// the slot is needed, only what the old row computed and the new one will not must become air
// again. Slots keep their state between windows and slices: air depends on the weights alone.
#pragma once

#include <cstring>

#include "geometry.h"

namespace {

// What a layer makes of a slice that is all air. `border` rows at the top and at the bottom feel
// the zero padding; all rows between are the same.
template <int width, int planes, int border, class Cell = float>
struct AirRows {
  Cell cells[2 * border + 1][planes][width];

  static int kind(int y) {
    if (y < border) return y;
    return y >= width - border ? 2 * border + 1 - (width - y) : border;
  }
  void copy(int kind, int plane, Span span, Cell* row) const {
    memcpy(row + span.begin, cells[kind][plane] + span.begin,
           sizeof(Cell) * (span.end - span.begin));
  }
};

// Air behind the window function is zero.
struct ZeroAir {
  static int kind(int) { return 0; }
  void copy(int, int, Span span, float* row) const {
    memset(row + span.begin, 0, sizeof(float) * (span.end - span.begin));
  }
};

// A cell is 32 bits, one fp32 channel or two bf16 channels, or what the tile kernels take for a
// pixel. Planes: cells per pixel. Pixel 0 is cell `first` of its row. The map is square, so `width`
// is its height as well. Zeroed memory is a valid, empty ring.
template <int width, int planes, int kept, class Cell = float, int first = kEdge>
struct RowRing {
  static constexpr int kPitch = width + 2 * kEdge, kRows = kept, kFirst = first;
  static_assert((kept & (kept - 1)) == 0, "slots are found by a mask");

  struct Slot {
    Span touched;  // pixels that may differ from air
    Span written;  // the same in whole vectors: what was computed
    int kind;      // 1 + kind of air around them; 0 while the slot is empty
  };

  alignas(64) Cell cells[kept][planes][kPitch];
  alignas(64) Cell zeros[planes][kPitch];  // stands for the rows above the first, below the last
  Slot slots[kept];

  static bool inside(int y) { return 0 <= y && y < width; }
  Cell* write(int y) { return cells[y & (kept - 1)][0]; }
  const Cell* read(int y) const { return inside(y) ? cells[y & (kept - 1)][0] : zeros[0]; }
  Span touched(int y) const { return inside(y) ? slots[y & (kept - 1)].touched : Span{0, 0}; }

  // Give row y its slot: outside `written` it is air when this returns.
  template <class Air>
  void claim(int y, Span touched, Span written, const Air& air) {
    Slot& slot = slots[y & (kept - 1)];
    const int kind = 1 + Air::kind(y);
    const Span old = slot.kind == kind ? slot.written : Span{0, width};
    if (written.empty()) {
      restore(y, old, air);
    } else {
      restore(y, {old.begin, least(old.end, written.begin)}, air);
      restore(y, {most(old.begin, written.end), old.end}, air);
    }
    slot = {touched, written, kind};
  }

 private:
  template <class Air>
  void restore(int y, Span span, const Air& air) {
    if (span.empty()) return;
    for (int plane = 0; plane < planes; plane++)
      air.copy(Air::kind(y), plane, span, cells[y & (kept - 1)][plane] + first);
  }
};

}  // namespace
