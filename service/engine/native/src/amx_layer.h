// Layer for tiles: as layer.h, with maps of pixels, two rows of a convolution at a time.
#pragma once

#include "amx_first.h"
#include "input.h"
#include "session.h"

namespace {

// Which kernels make a convolution: all but the first read maps.
template <class C, class From, class To>
struct KernelsOf {
  using Type = TileKernels<C, typename From::Made, To>;
};
template <class From, class To>
struct KernelsOf<Conv11, From, To> {
  using Type = FirstKernels<Conv11, From, To>;
};

template <class S, class C, class Source>
struct Layer {
  using Made = Map<C>;
  using Ring = typename Made::Ring;
  using K = typename KernelsOf<C, Source, Made>::Type;
  static constexpr int kRows = C::kKernel + 1;             // read for two rows of the convolution
  static constexpr int kTogether = C::kPools ? 1 : 2;      // rows made at a time
  static constexpr int kFelt = Source::kBorder + C::kHalf; // rows that feel the padding
  static constexpr int kBorder = C::kPools ? (kFelt + 1) / 2 : kFelt;
  static_assert(C::kOutWidth % kTogether == 0, "no row is left over");
  static_assert(Source::Ring::kRows >= kRows, "the source forgets rows that are still read");

  struct Model {
    typename K::W weights;
    AirRows<C::kOutWidth, Made::kPlanes, kBorder, typename Made::Pixel> air;
  };

  Source* source;
  const Model* model;
  Model* recorded;
  bool skip;
  int made;
  Ring ring;

  void start(Source& from, const Model& with, Mode mode) {
    source = &from;
    model = &with;
    recorded = mode.record ? const_cast<Model*>(&with) : nullptr;  // it is still being loaded
    skip = mode.skip && C::kKeepsSize;  // units 4 and 5 are one hundredth of the work
    made = 0;
  }

  void ensure(int y) {
    for (const int last = least(y, C::kOutWidth - 1); made <= last; made += kTogether) make(made);
  }

  float value(int y, int channel, int x) {  // of the last layer
    return ring.write(y)[Ring::kFirst + x].numbers[channel];
  }

 private:
  void make(int y) {
    const int first = (C::kPools ? 2 * y : y) - C::kHalf;
    source->ensure(first + kRows - 1);
    decltype(source->ring.read(0)) rows[kRows];
    Span touched{0, 0};
    for (int i = 0; i < kRows; i++) {
      rows[i] = source->ring.read(first + i);
      touched = joined(touched, source->ring.touched(first + i));
    }
    touched = skip ? grown(touched, C::kHalf, C::kWidth) : Span{0, C::kWidth};
    const Span work = covering(touched, K::kStep, C::kWidth, K::kUnits);
    typename Made::Pixel* out[kTogether];
    for (int i = 0; i < kTogether; i++) {
      if constexpr (C::kKeepsSize) claim(y + i, touched, work);
      out[i] = ring.write(y + i) + Ring::kFirst;
    }
    if (!work.empty()) K::run(rows, model->weights, out, work);
    if (C::kKeepsSize && recorded != nullptr)
      for (int i = 0; i < kTogether; i++) record(y + i);
  }

  void claim(int y, Span touched, Span work) {
    if (C::kPools)
      ring.claim(y, halved(touched), halved(work), model->air);
    else
      ring.claim(y, touched, work, model->air);
  }

  void record(int y) {
    auto& planes = recorded->air.cells[recorded->air.kind(y)];
    for (int plane = 0; plane < Made::kPlanes; plane++)
      memcpy(planes[plane], ring.write(y) + plane * Ring::kPitch + Ring::kFirst,
             sizeof planes[plane]);
  }
};

using Numbers = SplitSimd;  // what the input writes

// What a thread needs while it runs a window.
class Session {
 public:
  Session() {}

 private:
  FlushTiny flush_;
  TilesInUse tiles_;
};

}  // namespace
