// Layer: one convolution that makes its rows when the next layer asks for them.
//
// voxels -> Input -> Layer -> Layer -> ... -> Layer: each asks its source for the rows it reads.
#pragma once

#include "input.h"
#include "kernels.h"
#include "session.h"

namespace {

template <class S, class C, class Source>
struct Layer {
  using K = Kernels<S, C>;
  static constexpr int kPlanes = C::kOut / (K::kOutPairs ? 2 : 1);
  static constexpr int kStep = S::kLanes * (C::kPools ? 2 : 1);
  static constexpr int kRows = C::kKernel + (C::kPools ? 1 : 0);  // read for one row of output
  static constexpr int kFelt = Source::kBorder + C::kHalf;        // rows that feel the padding
  static constexpr int kBorder = C::kPools ? (kFelt + 1) / 2 : kFelt;
  using Ring = RowRing<C::kOutWidth, kPlanes, C::kKept>;
  static_assert(Source::Ring::kPitch >= kEdge + (C::kWidth + kStep - 1) / kStep * kStep +
                                            C::kKernel - 1 - C::kHalf, "reads beyond the row");
  static_assert(Source::Ring::kRows >= kRows, "the source forgets rows that are still read");

  struct Model {
    Weights<S, C> weights;
    AirRows<C::kOutWidth, kPlanes, kBorder> air;
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
    for (const int last = least(y, C::kOutWidth - 1); made <= last; made++) make(made);
  }

  float value(int y, int channel, int x) {  // of the last layer
    return ring.write(y)[channel * Ring::kPitch + kEdge + x];
  }

 private:
  void make(int y) {
    const int first = (C::kPools ? 2 * y : y) - C::kHalf;
    source->ensure(first + kRows - 1);
    const float* rows[kRows];
    Span touched{0, 0};
    for (int i = 0; i < kRows; i++) {
      rows[i] = source->ring.read(first + i);
      touched = joined(touched, source->ring.touched(first + i));
    }
    touched = skip ? grown(touched, C::kHalf, C::kWidth) : Span{0, C::kWidth};
    const Span work = covering(touched, kStep, C::kWidth, 2);
    if constexpr (C::kKeepsSize) {
      if (C::kPools)
        ring.claim(y, halved(touched), halved(work), model->air);
      else
        ring.claim(y, touched, work, model->air);
    }
    if (!work.empty()) compute(rows, ring.write(y), work);
    if (C::kKeepsSize && recorded != nullptr) record(y);
  }

  void compute(const float* const* rows, float* out, Span work) {
    constexpr int in_pitch = Source::Ring::kPitch, out_pitch = Ring::kPitch;
    if constexpr (C::kPools)
      K::pooled_row(rows, in_pitch, model->weights, out, out_pitch, work);
    else
      K::row(rows, in_pitch, model->weights, out, out_pitch, work);
  }

  void record(int y) {
    const int kind = recorded->air.kind(y);
    for (int plane = 0; plane < kPlanes; plane++)
      memcpy(recorded->air.cells[kind][plane], ring.write(y) + plane * Ring::kPitch + kEdge,
             sizeof recorded->air.cells[kind][plane]);
  }
};

using Numbers = Simd;        // what the input writes
using Session = FlushTiny;  // what a thread needs while it runs a window

}  // namespace
