// Weights: one convolution's weights in the order in which the kernels read them.
#pragma once

#include <cstdint>
#include <cstring>

#include "geometry.h"

namespace {

inline uint32_t bf16_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;  // to nearest, ties to even
}

inline float as_cell(uint32_t low, uint32_t high) {
  const uint32_t bits = low | (high << 16);
  float cell;
  memcpy(&cell, &bits, sizeof cell);
  return cell;
}

// [block of output channels][input cell][tap][channel of the block]; `floor` is what the ReLU
// behind the pool, with the batch norm's shift, cuts off (see service/engine/native/folding.py).
template <class S, class C>
struct Weights {
  static constexpr bool kInPairs = S::kPairs && C::kIn > 1;
  static constexpr int kCells = kInPairs ? C::kIn / 2 : C::kIn;
  static constexpr int kBlock = least(S::kBlock, C::kOut), kBlocks = C::kOut / kBlock;

  alignas(64) float taps[kBlocks][kCells][C::kTaps][kBlock];
  float bias[C::kOut], floor[C::kOut];

  // From [out][in][tap], [out], [out] in the blob; moves the blob on.
  void load(const float*& blob) {
    const float* dense = blob;
    for (int out = 0; out < C::kOut; out++)
      for (int cell = 0; cell < kCells; cell++)
        for (int tap = 0; tap < C::kTaps; tap++)
          taps[out / kBlock][cell][tap][out % kBlock] = cell_of(dense, out, cell, tap);
    blob += C::kOut * C::kIn * C::kTaps;
    memcpy(bias, blob, sizeof bias);
    memcpy(floor, blob + C::kOut, sizeof floor);
    blob += 2 * C::kOut;
  }

 private:
  static float at(const float* dense, int out, int in, int tap) {
    return dense[(out * C::kIn + in) * C::kTaps + tap];
  }
  static float cell_of(const float* dense, int out, int cell, int tap) {
    if constexpr (kInPairs)
      return as_cell(bf16_bits(at(dense, out, 2 * cell, tap)),
                     bf16_bits(at(dense, out, 2 * cell + 1, tap)));
    else
      return at(dense, out, cell, tap);
  }
};

}  // namespace
