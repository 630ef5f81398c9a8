// Spin for tiles: products and nothing else, the most that this processor can reach.
#pragma once

#include "amx_layer.h"

namespace {

// With kSplit three products of tiles are one multiplication of fp32 numbers.
constexpr int kSpinTiles = 3;
constexpr int64_t kTileSpinFlop = 2LL * 16 * 16 * 32 * (kSplit ? 1 : kSpinTiles);

float tile_spin(int64_t rounds) {
  const TilesInUse tiles;
  alignas(64) const float zeros[16] = {};
  float sums[16][16];
  tile_load<0>(zeros, 0);
  tile_load<1>(zeros, 0);
  tile_load<2>(zeros, 0);
  tile_load<4>(zeros, 0);
  tile_load<5>(zeros, 0);
  for (int64_t i = 0; i < rounds; i++) {
    tile_multiply<0, 4, 5>();
    tile_multiply<1, 4, 5>();
    tile_multiply<2, 4, 5>();
  }
  tile_store<0>(sums);
  return sums[0][0];
}

}  // namespace
