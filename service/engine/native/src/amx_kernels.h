// Kernels for tiles: two rows of a convolution, behind its ReLU or pooled into one.
//
// pixels ── tile loads, products ──> sums of 16 x 16 ── memory ──> AVX-512: pool, floor, bf16
// Every sum runs in the same order wherever its pixel lies, as in kernels.h.
#pragma once

#include "amx_weights.h"

#define ICH_INLINE inline __attribute__((always_inline))

namespace {

// Sums of one block: [row of output][group of channels][tile row][column].
template <int groups>
struct Sums {
  alignas(64) float at[2][groups][16][16];

  Vector load(int row, int group, int i) const { return _mm512_load_ps(at[row][group][i]); }
  Vector larger(int group, int i) const { return Simd::larger(load(0, group, i), load(1, group, i)); }
};

// Sixteen values each, neighbours in their row: to bf16, or as they are behind the last layer.
template <class M>
inline void put(Vector a, Vector b, typename M::Pixel* out) {
  char* to = reinterpret_cast<char*>(out);
  if constexpr (M::kFinal) {
    _mm512_storeu_ps(to, a);
    _mm512_storeu_ps(to + 64, b);
  } else if constexpr (kSplit) {
    const Vector high_a = high_of(a), high_b = high_of(b);
    _mm512_storeu_si512(to, packed(high_a, high_b));
    _mm512_storeu_si512(to + sizeof(typename M::Pixel) * M::Ring::kPitch,
                        packed(_mm512_sub_ps(a, high_a), _mm512_sub_ps(b, high_b)));
  } else {
    _mm512_storeu_si512(to, packed(a, b));
  }
}

// The same for four channels, highs and lows together. `order` says which quarters of the highs
// go to `first` and which to `second`, eight pixels of one row or four of two.
struct Order {
  __m512i first, second;
};
inline Order one_row() {
  return {_mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0), _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4)};
}
inline Order two_rows() {
  return {_mm512_set_epi64(13, 5, 12, 4, 9, 1, 8, 0), _mm512_set_epi64(15, 7, 14, 6, 11, 3, 10, 2)};
}
inline void put_together(Vector a, Vector b, const Order& order, void* first, void* second) {
  const Vector high_a = kSplit ? high_of(a) : a, high_b = kSplit ? high_of(b) : b;
  const __m512i highs = packed(high_a, high_b);
  __m512i lows = _mm512_setzero_si512();
  if (kSplit) lows = packed(_mm512_sub_ps(a, high_a), _mm512_sub_ps(b, high_b));
  _mm512_storeu_si512(first, _mm512_permutex2var_epi64(highs, order.first, lows));
  _mm512_storeu_si512(second, _mm512_permutex2var_epi64(highs, order.second, lows));
}

template <class C, class From, class To>
struct TileKernels {
  using W = TileWeights<C>;
  using In = typename From::Pixel;
  using Out = typename To::Pixel;
  static constexpr int kStep = 16 * W::kUnits, kUnits = W::kUnits;  // pixels of a block, of a row

  // rows: one more than the kernel, at cell 0; out: where the rows begin, one if they are pooled.
  static void run(const In* const* rows, const W& weights, Out* const* out, Span span) {
    for (int x = span.begin; x < span.end; x += kStep) {
      Sums<W::kGroups> sums;
      for (int group = 0; group < W::kGroups; group++) {
        accumulate(rows, weights, group, x);
        tile_store<0>(sums.at[0][group]);
        tile_store<1>(sums.at[1][group]);
      }
      const Vector floor = _mm512_load_ps(weights.floor);
      if constexpr (C::kPools)
        pool(sums, floor, out[0] + x / 2);
      else
        for (int row = 0; row < 2; row++) keep(sums, row, floor, out[row] + x);
    }
  }

 private:
  static constexpr int64_t kPitch = W::kUnits * sizeof(In);  // from one tile row to the next
  static constexpr bool kPlanes = From::kPlanes == 2;

  // Tiles 0 and 1: sums of both rows; 2 and 3: input; 4 to 7: weights of this kernel row and the
  // one before, as each input row serves both rows of output.
  static void accumulate(const In* const* rows, const W& weights, int group, int x) {
    tile_load<0>(weights.bias[group], 0);
    tile_load<1>(weights.bias[group], 0);
    for (int chunk = 0; chunk < W::kChunks; chunk++) {
      const int64_t at = (From::Ring::kFirst + x - C::kHalf) * int64_t{sizeof(In)} + 64 * chunk;
      input_rows<0>(rows, weights.tiles[group][chunk], at);
    }
  }

  template <int r>
  static void input_rows(const In* const* rows, const Tile (*tiles)[kTerms], int64_t at) {
    constexpr int now = 4 + r % 2 * 2, before = 6 - r % 2 * 2;
    const char* row = reinterpret_cast<const char*>(rows[r]) + at;
    tile_load<2>(row, kPitch);
    if constexpr (kPlanes) tile_load<3>(row + From::Ring::kPitch * sizeof(In), kPitch);
    if constexpr (r < C::kKernel) {
      tile_load<now>(&tiles[r][0], 64);
      if constexpr (kSplit) tile_load<now + 1>(&tiles[r][kTerms - 1], 64);
      multiply<0, now>();
    }
    if constexpr (r > 0) multiply<1, before>();
    if constexpr (r < C::kKernel) input_rows<r + 1>(rows, tiles, at);
  }

  template <int sums, int weights>
  static void multiply() {
    tile_multiply<sums, 2, weights>();
    if constexpr (kSplit) tile_multiply<sums, 2, weights + 1>();
    if constexpr (kPlanes) tile_multiply<sums, 3, weights>();
  }

  static void keep(const Sums<W::kGroups>& sums, int row, Vector floor, Out* out) {
    static_assert(C::kPools || W::kGroups == 1, "sixteen channels are always pooled");
    for (int i = 0; i < 16; i += 2) {
      const Vector a = Simd::larger(floor, sums.load(row, 0, i));
      const Vector b = Simd::larger(floor, sums.load(row, 0, i + 1));
      Out* to = out + i * W::kUnits;
      if constexpr (To::kTogether)
        put_together(a, b, one_row(), to, to + 4);
      else
        put<To>(a, b, to);
    }
  }

  static void pool(const Sums<W::kGroups>& sums, Vector floor, Out* out) {
    constexpr int step = W::kGroups == 2 ? 1 : 2;  // tile rows in one vector of pooled values
    for (int i = 0; i < 16; i += 2 * step) {
      const Vector a = pooled(sums, i), b = pooled(sums, i + step);
      put<To>(Simd::larger(floor, a), Simd::larger(floor, b), out + i);
    }
  }

  // Each half of a tile row is one pixel: the larger of the two, for sixteen channels, or for
  // eight channels of two tile rows.
  static Vector pooled(const Sums<W::kGroups>& sums, int i) {
    const __m512d a = _mm512_castps_pd(sums.larger(0, i));
    const __m512d b = _mm512_castps_pd(W::kGroups == 2 ? sums.larger(W::kGroups - 1, i)
                                                       : sums.larger(0, i + 1));
    return Simd::larger(_mm512_castpd_ps(_mm512_shuffle_f64x2(a, b, 0x44)),
                        _mm512_castpd_ps(_mm512_shuffle_f64x2(a, b, 0xEE)));
  }
};

}  // namespace
