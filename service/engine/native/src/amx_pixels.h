// Pixels: how the tile kernels keep a map, and how fp32 values become bf16 numbers.
//
// A map is stored pixel by pixel, so that neighbouring pixels with all their channels are the
// bytes that a tile row reads. With kSplit each value v is kept as high = bf16(v) and
// low = bf16(v - high): the products high * high + low * high + high * low are exact to about 16
// bits. 8 and 16 channels have a plane of highs and one of lows; 4 channels have both in one
// pixel (4 highs, 4 lows), which fills a tile row. Without kSplit the lows are absent, or zero.
#pragma once

#include "row_ring.h"
#include "simd_avx512.h"
#include "weights.h"

namespace {

#ifdef ICH_SPLIT
constexpr bool kSplit = true;
#else
constexpr bool kSplit = false;
#endif

using Vector = Simd::Vector;

template <class Number, int count>
struct Cell {
  Number numbers[count];
};

// What leaves the last layer is fp32.
template <bool final>
struct PartOf {
  using Type = uint16_t;
};
template <>
struct PartOf<true> {
  using Type = float;
};

// The map behind a convolution. Eight rows stay: at most six are read at a time, and rows are made
// two by two. A tile row that crosses two cache lines is slow to load: one cell more at the left
// for a 3 x 3 reader (it is for these that C keeps four rows) puts every second one inside a line.
template <class C>
struct Map {
  static constexpr bool kFinal = C::kFinal;
  static constexpr bool kTogether = C::kOut == 4;  // highs and lows in one pixel
  static constexpr int kPlanes = kSplit && !kTogether && !C::kFinal ? 2 : 1;
  static constexpr int kNumbers = kTogether ? 2 * C::kOut : C::kOut;
  using Pixel = Cell<typename PartOf<C::kFinal>::Type, kNumbers>;
  using Ring = RowRing<C::kOutWidth, kPlanes, 8, Pixel, kEdge + (C::kKept == 4)>;
  static_assert(Ring::kPitch * sizeof(Pixel) % 64 == 0, "rows begin at whole cache lines");
};

// To nearest, as bits; ties away from zero.
inline Vector high_of(Vector v) {
  const __m512i up = _mm512_add_epi32(_mm512_castps_si512(v), _mm512_set1_epi32(0x8000));
  return _mm512_castsi512_ps(_mm512_and_si512(up, _mm512_set1_epi32(int(0xffff0000))));
}

// Thirty-two bf16 numbers, those of `a` first.
inline __m512i packed(Vector a, Vector b) { return (__m512i)_mm512_cvtne2ps_pbh(b, a); }

// The same number pairs in cells of 32 bits, `low` in the upper half: both are bf16 already.
inline __m512i paired(Vector high, Vector low) {
  return _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(high), 16),
                         _mm512_castps_si512(low));
}

// Simd as the input sees it: a windowed voxel is one cell of a high and a low number. Sixteen
// voxels are kept as columns of a 4 x 4 square, which `interleaved` (amx_first.h) turns.
struct SplitSimd : Simd {
  static Vector windowed(const int16_t* voxels, Vector lower, Vector width) {
    const __m512i turn = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(voxels));
    const Vector hu = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(raw));
    // A multiplication: a division of sixteen floats takes as long as all the rest.
    const Vector share = _mm512_div_ps(broadcast(1.0f), width);
    const Vector x = _mm512_mul_ps(_mm512_sub_ps(hu, lower), share);
    const Vector v = _mm512_min_ps(_mm512_max_ps(x, zero()), broadcast(1.0f));
    const Vector high = high_of(v), low = high_of(_mm512_sub_ps(v, high));
    return _mm512_castsi512_ps(_mm512_permutexvar_epi32(turn, paired(high, low)));
  }
};

}  // namespace
