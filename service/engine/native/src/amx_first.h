// First: the first convolution, whose input rows are woven into one, four voxels to a pixel.
#pragma once

#include "amx_kernels.h"

namespace {

template <class C, class From, class To>
struct FirstKernels {
  using W = FirstWeights<C>;
  using Out = typename To::Pixel;
  static constexpr int kStep = 32, kUnits = 2;

  // rows: four rows of voxels at cell 0; out: two rows.
  static void run(const float* const* rows, const W& weights, Out* const* out, Span span) {
    alignas(64) Woven woven[1 + C::kWidth + 16];  // the first is pixel -1
    weave(rows, woven, span);
    tile_load<4>(&weights.tiles[0], 64);
    if constexpr (kSplit) tile_load<5>(&weights.tiles[kTerms - 1], 64);
    alignas(64) float sums[2][16][16];  // of this block, and of the one before
    int turn = 0;
    for (int x = span.begin; x < span.end; x += kStep, turn ^= 1) {
      tile_load<0>(weights.bias, 0);
      tile_load<2>(woven + x, 2 * sizeof(Woven));
      tile_multiply<0, 2, 4>();
      if constexpr (kSplit) tile_multiply<0, 2, 5>();
      tile_store<0>(sums[turn]);
      if (x > span.begin) finish(sums[turn ^ 1], weights, out, x - kStep);
    }
    finish(sums[turn ^ 1], weights, out, span.end - kStep);
  }

 private:
  using Woven = Cell<uint16_t, 8>;  // a high and a low number of each of four rows

  static ICH_INLINE void finish(const float (*sums)[16], const W& weights, Out* const* out, int x) {
    const Vector floor = _mm512_load_ps(weights.floor);
    const Order order = two_rows();
    for (int i = 0; i < 16; i += 2)
      put_together(Simd::larger(floor, _mm512_load_ps(sums[i])),
                   Simd::larger(floor, _mm512_load_ps(sums[i + 1])), order, out[0] + x + 2 * i,
                   out[1] + x + 2 * i);
  }

  // Pixels from one before the span to two behind it, in whole steps of the input.
  static void weave(const float* const* rows, Woven* woven, Span span) {
    const int begin = most(0, span.begin - 1) / 16 * 16, end = least(C::kWidth, span.end + 2);
    woven[0] = {};
    for (int x = begin; x < end; x += 16) weave(rows, x, woven + 1 + x);
    if (end == C::kWidth) memset(woven + 1 + end, 0, 16 * sizeof(Woven));
  }

  // The input keeps sixteen voxels as a 4 x 4 square: turned, a row of each square is four pixels.
  static void weave(const float* const* rows, int x, Woven* to) {
    __m512i v[4];
    for (int r = 0; r < 4; r++) v[r] = _mm512_loadu_si512(rows[r] + From::Ring::kFirst + x);
    const __m512i a = _mm512_unpacklo_epi32(v[0], v[1]), b = _mm512_unpackhi_epi32(v[0], v[1]);
    const __m512i c = _mm512_unpacklo_epi32(v[2], v[3]), d = _mm512_unpackhi_epi32(v[2], v[3]);
    _mm512_storeu_si512(to, _mm512_unpacklo_epi64(a, c));
    _mm512_storeu_si512(to + 4, _mm512_unpackhi_epi64(a, c));
    _mm512_storeu_si512(to + 8, _mm512_unpacklo_epi64(b, d));
    _mm512_storeu_si512(to + 12, _mm512_unpackhi_epi64(b, d));
  }
};

}  // namespace
