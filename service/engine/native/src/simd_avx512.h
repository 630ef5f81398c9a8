// Simd for AVX-512: sixteen floats, thirty-two registers. With ICH_BF16 two bf16 channels a cell.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

struct Simd {
  using Vector = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kBlock = 8;
  static constexpr int kAccumulators = 16;

  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Vector v) { _mm512_storeu_ps(to, v); }
  static Vector broadcast(float value) { return _mm512_set1_ps(value); }
  static Vector multiply_add(Vector a, Vector b, Vector sum) { return _mm512_fmadd_ps(a, b, sum); }
  // A NaN in `b` survives: the processor returns its second operand.
  static Vector larger(Vector a, Vector b) { return _mm512_max_ps(a, b); }

  // (HU - lower) / width, clipped to 0..1, of sixteen voxels.
  static Vector windowed(const int16_t* voxels, Vector lower, Vector width) {
    const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(voxels));
    const Vector hu = _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(raw));
    const Vector x = _mm512_div_ps(_mm512_sub_ps(hu, lower), width);
    return _mm512_min_ps(_mm512_max_ps(x, zero()), broadcast(1.0f));
  }

  // The larger of each pair of neighbours in (a, b).
  static Vector larger_neighbour(Vector a, Vector b) {
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    return larger(_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b));
  }

#ifdef ICH_BF16
  static constexpr bool kPairs = true;

  // Both channels of each cell at once, summed in fp32.
  static Vector multiply_add_pairs(Vector a, Vector b, Vector sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_castps_si512(a),
                            (__m512bh)_mm512_castps_si512(b));
  }
  // Two channels rounded to bf16: `low` in the lower half of each cell.
  static Vector pair(Vector low, Vector high) {
    const __m512i l = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(low));
    const __m512i h = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(high));
    return _mm512_castsi512_ps(_mm512_or_si512(l, _mm512_slli_epi32(h, 16)));
  }
#else
  static constexpr bool kPairs = false;
#endif
};

}  // namespace
