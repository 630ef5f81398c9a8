// Kernels: one row of a convolution with its ReLU, or two rows with the pool behind them.
//
// A register tile is `kBlock` output channels by `columns` vectors of neighbouring pixels. Every
// sum runs in the same order wherever its pixel lies in a tile, so that a pixel has the same bits
// whether its neighbours were computed with it or not.
#pragma once

#include "weights.h"

#define ICH_INLINE inline __attribute__((always_inline))

namespace {

template <class S, class C>
struct Kernels {
  using Vector = typename S::Vector;
  using W = Weights<S, C>;
  static constexpr int kBlock = W::kBlock;
  static constexpr bool kOutPairs = S::kPairs && !C::kFinal;
  static constexpr int kColumns = S::kAccumulators / kBlock;

  // rows[i]: the input row of kernel row i, all its planes; `x`: cell of the first tap.
  template <int columns>
  static ICH_INLINE void accumulate(const float* const* rows, int pitch, const W& weights,
                                    int block, int x, Vector (&sum)[kBlock][columns]) {
#pragma GCC unroll 8
    for (int c = 0; c < kBlock; c++)
#pragma GCC unroll 4
      for (int v = 0; v < columns; v++)
        sum[c][v] = S::broadcast(weights.bias[block * kBlock + c]);
    for (int cell = 0; cell < W::kCells; cell++)
      for (int ky = 0; ky < C::kKernel; ky++) {
        const float* row = rows[ky] + cell * pitch + x;
        const float(*taps)[kBlock] = &weights.taps[block][cell][ky * C::kKernel];
#pragma GCC unroll 5
        for (int kx = 0; kx < C::kKernel; kx++) {
          Vector in[columns];
#pragma GCC unroll 4
          for (int v = 0; v < columns; v++) in[v] = S::load(row + kx + v * S::kLanes);
#pragma GCC unroll 8
          for (int c = 0; c < kBlock; c++) {
            const Vector weight = S::broadcast(taps[kx][c]);
#pragma GCC unroll 4
            for (int v = 0; v < columns; v++) sum[c][v] = add(in[v], weight, sum[c][v]);
          }
        }
      }
  }

  // Pixels `span` of one row, behind the ReLU.
  static void row(const float* const* rows, int in_pitch, const W& weights, float* out,
                  int out_pitch, Span span) {
    int x = span.begin;
    for (; x + kColumns * S::kLanes <= span.end; x += kColumns * S::kLanes)
      tiles<kColumns>(rows, in_pitch, weights, out, out_pitch, x);
    for (; x < span.end; x += S::kLanes) tiles<1>(rows, in_pitch, weights, out, out_pitch, x);
  }

  // Pixels `span` of two rows, pooled 2 x 2 into one; rows has one more than the kernel.
  static void pooled_row(const float* const* rows, int in_pitch, const W& weights, float* out,
                         int out_pitch, Span span) {
    static_assert(!C::kPools || kColumns == 2, "a pool joins two neighbouring vectors");
    for (int x = span.begin; x < span.end; x += 2 * S::kLanes)
      for (int block = 0; block < W::kBlocks; block++) {
        Vector sum[kBlock][2], best[kBlock];
        accumulate<2>(rows, in_pitch, weights, block, x + kEdge - C::kHalf, sum);
#pragma GCC unroll 8
        for (int c = 0; c < kBlock; c++)
          best[c] = S::larger(S::broadcast(weights.floor[block * kBlock + c]),
                              S::larger_neighbour(sum[c][0], sum[c][1]));
        accumulate<2>(rows + 1, in_pitch, weights, block, x + kEdge - C::kHalf, sum);
#pragma GCC unroll 8
        for (int c = 0; c < kBlock; c++)
          best[c] = S::larger(best[c], S::larger_neighbour(sum[c][0], sum[c][1]));
        store(best, out + x / 2 + kEdge, out_pitch, block);
      }
  }

 private:
  static ICH_INLINE Vector add(Vector in, Vector weight, Vector sum) {
    if constexpr (W::kInPairs)
      return S::multiply_add_pairs(in, weight, sum);
    else
      return S::multiply_add(in, weight, sum);
  }

  template <int columns>
  static ICH_INLINE void tiles(const float* const* rows, int in_pitch, const W& weights,
                               float* out, int out_pitch, int x) {
    for (int block = 0; block < W::kBlocks; block++) {
      Vector sum[kBlock][columns];
      accumulate<columns>(rows, in_pitch, weights, block, x + kEdge - C::kHalf, sum);
#pragma GCC unroll 4
      for (int v = 0; v < columns; v++) {
        Vector relu[kBlock];
#pragma GCC unroll 8
        for (int c = 0; c < kBlock; c++) relu[c] = S::larger(S::zero(), sum[c][v]);
        store(relu, out + x + v * S::kLanes + kEdge, out_pitch, block);
      }
    }
  }

  static ICH_INLINE void store(const Vector (&values)[kBlock], float* out, int pitch, int block) {
    if constexpr (kOutPairs) {
#pragma GCC unroll 8
      for (int c = 0; c < kBlock; c += 2)
        S::store(out + (block * kBlock + c) / 2 * pitch, S::pair(values[c], values[c + 1]));
    } else {
#pragma GCC unroll 8
      for (int c = 0; c < kBlock; c++) S::store(out + (block * kBlock + c) * pitch, values[c]);
    }
  }
};

}  // namespace
