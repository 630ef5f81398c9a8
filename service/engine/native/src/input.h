// Input: the windowed slice, row by row, and where in each row it is not air.
#pragma once

#include "row_ring.h"
#include "variant.h"

namespace {

template <class S>
struct Input {
  static constexpr int kBorder = 0;
  using Ring = RowRing<kSize, 1, 4>;

  WindowJob job;
  int made;
  Ring ring;

  void start(const WindowJob& next) {
    job = next;
    made = 0;
  }

  void ensure(int y) {
    for (const int last = least(y, kSize - 1); made <= last; made++) make(made);
  }

 private:
  void make(int y) {
    const int16_t* voxels = job.voxels + y * kSize;
    const Span touched = job.skip ? above_lower(voxels) : Span{0, kSize};
    const Span written = covering(touched, S::kLanes, kSize, S::kLanes);
    ring.claim(y, touched, written, ZeroAir{});
    const auto lower = S::broadcast(job.lower), width = S::broadcast(job.width);
    for (int x = written.begin; x < written.end; x += S::kLanes)
      S::store(ring.write(y) + kEdge + x, S::windowed(voxels + x, lower, width));
  }

  // From the first to the last voxel that the window does not clip to zero.
  Span above_lower(const int16_t* voxels) const {
    constexpr int kBlock = 32;
    if (job.lower >= 32767.0f) return {0, 0};
    if (job.lower < -32768.0f) return {0, kSize};
    int limit = static_cast<int>(job.lower);
    limit -= limit > job.lower;  // floor: voxels are whole numbers
    int begin = 0, end = kSize;
    while (begin < kSize && largest(voxels + begin, kBlock) <= limit) begin += kBlock;
    if (begin == kSize) return {0, 0};
    while (voxels[begin] <= limit) begin++;
    while (largest(voxels + end - kBlock, kBlock) <= limit) end -= kBlock;
    while (voxels[end - 1] <= limit) end--;
    return {begin, end};
  }

  static int largest(const int16_t* voxels, int count) {
    int16_t best = voxels[0];
    for (int i = 1; i < count; i++) best = voxels[i] > best ? voxels[i] : best;
    return best;
  }
};

}  // namespace
