// Weights for tiles: each tile multiplies 32 numbers of a row of pixels into 16 columns.
//
// The columns are `kUnits` neighbouring pixels times `kGroup` output channels: pixel u of a column
// reads its taps u pixels further, so that one tile row of input serves all of them.
#pragma once

#include "amx_pixels.h"
#include "tiles.h"

namespace {

struct Tile {
  alignas(64) uint16_t at[16][16][2];  // [number / 2][column][number % 2]

  void set(int number, int column, uint32_t bits) {
    at[number / 2][column][number % 2] = static_cast<uint16_t>(bits);
  }
};

inline uint32_t low_bits(float weight) {
  const uint32_t bits = bf16_bits(weight) << 16;
  float high;
  memcpy(&high, &bits, sizeof high);
  return bf16_bits(weight - high);
}

constexpr int kTerms = kSplit ? 2 : 1;  // tiles of high weights, and of low ones

template <class C>
struct TileWeights {
  static constexpr int kGroup = least(C::kOut, 8), kGroups = C::kOut / kGroup;
  static constexpr int kUnits = 16 / kGroup;
  static constexpr bool kTogether = C::kIn == 4;           // see Map
  static constexpr int kNumbers = kTogether ? 8 : C::kIn;  // of an input pixel in its plane
  static constexpr int kChunks = ((kUnits + C::kKernel - 1) * kNumbers + 31) / 32;

  Tile tiles[kGroups][kChunks][C::kKernel][kTerms];
  alignas(64) float bias[kGroups][16];  // by column
  alignas(64) float floor[16];          // by channel of the values that leave, over and over

  // From [out][in][tap], [out], [out] in the blob; moves the blob on.
  void load(const float*& blob) {
    memset(tiles, 0, sizeof tiles);
    for (int out = 0; out < C::kOut; out++)
      for (int in = 0; in < C::kIn; in++)
        for (int tap = 0; tap < C::kTaps; tap++, blob++)
          for (int unit = 0; unit < kUnits; unit++)
            set(out, in, tap / C::kKernel, tap % C::kKernel + unit, unit, *blob);
    for (int i = 0; i < 16 * kGroups; i++)
      bias[i / 16][i % 16] = blob[i / 16 * kGroup + i % kGroup];
    for (int i = 0; i < 16; i++) floor[i] = blob[C::kOut + i % C::kOut];
    blob += 2 * C::kOut;
  }

 private:
  void set(int out, int in, int ky, int pixel, int unit, float weight) {
    const int number = pixel * kNumbers + in, column = unit * kGroup + out % kGroup;
    Tile* terms = tiles[out / kGroup][number / 32][ky];
    terms[0].set(number % 32, column, bf16_bits(weight));
    if (kTogether) terms[0].set(number % 32 + C::kIn, column, bf16_bits(weight));
    if (kSplit) terms[kTerms - 1].set(number % 32, column, low_bits(weight));
  }
};

// The first convolution sees four rows of voxels in one pixel, highs and lows, and makes two rows
// of two pixels at once.
template <class C>
struct FirstWeights {
  static_assert(C::kIn == 1 && C::kOut == 4 && C::kKernel == 3, "four rows of one channel");

  Tile tiles[kTerms];
  alignas(64) float bias[16], floor[16];

  void load(const float*& blob) {
    memset(tiles, 0, sizeof tiles);
    for (int out = 0; out < C::kOut; out++)
      for (int tap = 0; tap < C::kTaps; tap++, blob++)
        for (int row = 0; row < 2; row++)
          for (int unit = 0; unit < 2; unit++)
            set(tap / 3 + row, tap % 3 + unit, row * 8 + unit * 4 + out, *blob);
    for (int i = 0; i < 16; i++) bias[i] = blob[i % C::kOut];
    for (int i = 0; i < 16; i++) floor[i] = blob[C::kOut + i % C::kOut];
    blob += 2 * C::kOut;
  }

 private:
  void set(int voxel_row, int pixel, int column, float weight) {
    const int number = pixel * 8 + voxel_row * 2;
    tiles[0].set(number, column, bf16_bits(weight));
    tiles[0].set(number + 1, column, bf16_bits(weight));
    if (kSplit) tiles[kTerms - 1].set(number, column, low_bits(weight));
  }
};

}  // namespace
