// Simd for AVX2 with FMA: eight floats, sixteen registers.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

struct Simd {
  using Vector = __m256;
  static constexpr int kLanes = 8;
  static constexpr int kBlock = 4;        // output channels of one register tile, at most
  static constexpr int kAccumulators = 8; // enough to hide the latency of two FMA pipes
  static constexpr bool kPairs = false;

  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Vector v) { _mm256_storeu_ps(to, v); }
  static Vector broadcast(float value) { return _mm256_set1_ps(value); }
  static Vector multiply_add(Vector a, Vector b, Vector sum) { return _mm256_fmadd_ps(a, b, sum); }
  // A NaN in `b` survives: the processor returns its second operand.
  static Vector larger(Vector a, Vector b) { return _mm256_max_ps(a, b); }

  // (HU - lower) / width, clipped to 0..1, of eight voxels.
  static Vector windowed(const int16_t* voxels, Vector lower, Vector width) {
    const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(voxels));
    const Vector hu = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(raw));
    const Vector x = _mm256_div_ps(_mm256_sub_ps(hu, lower), width);
    return _mm256_min_ps(_mm256_max_ps(x, zero()), broadcast(1.0f));
  }

  // The larger of each pair of neighbours in (a, b).
  static Vector larger_neighbour(Vector a, Vector b) {
    const Vector m = larger(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xDD));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(m), 0xD8));
  }
};

}  // namespace
