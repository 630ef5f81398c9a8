// Session: how a window is run, and the state of the thread that runs it.
#pragma once

#include <immintrin.h>

namespace {

// How a window is run; the same for all of its layers.
struct Mode {
  bool skip;    // compute only what may differ from air
  bool record;  // the slice is all air: keep every row for the slices to come
};

// Numbers too small for a normal float cost a hundred cycles each and change no answer.
class FlushTiny {
 public:
  FlushTiny() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushTiny() { _mm_setcsr(before_); }

 private:
  unsigned before_;
};

}  // namespace
