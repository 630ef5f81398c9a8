// Tiles: the eight tile registers of AMX, and what the kernels do with them.
//
// A tile is 16 rows of 64 bytes. Its number is part of the instruction, hence the templates.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace {

constexpr int kTileRows = 16, kTileBytes = 64;

// Sixteen rows, `pitch` bytes apart; they may overlap, or be one row for all with pitch 0.
template <int tile>
inline void tile_load(const void* from, int64_t pitch) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(pitch), "i"(tile) : "memory");
}

template <int tile>
inline void tile_store(void* to) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(int64_t{kTileBytes}), "i"(tile)
               : "memory");
}

// sums[m][n] += a[m][k] * b[k][n] over 32 values k of bf16, summed in fp32. In tile b the values
// 2i and 2i + 1 of a column stand side by side in row i.
template <int sums, int a, int b>
inline void tile_multiply() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
}

// The tiles of this thread, whole, for as long as the object lives. The system keeps their 8 KiB
// for a thread only while they are in use.
class TilesInUse {
 public:
  TilesInUse() {
    alignas(64) struct {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } shape;
    for (int tile = 0; tile < 8; tile++) shape.row_bytes[tile] = kTileBytes;
    for (int tile = 0; tile < 8; tile++) shape.rows[tile] = kTileRows;
    asm volatile("ldtilecfg %0" ::"m"(shape));
  }
  ~TilesInUse() { asm volatile("tilerelease" ::); }
  TilesInUse(const TilesInUse&) = delete;
  TilesInUse& operator=(const TilesInUse&) = delete;
};

}  // namespace
