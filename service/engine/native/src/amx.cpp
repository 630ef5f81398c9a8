// The network for AMX, as exact as fp32: each number as the sum of two of bf16.
#define ICH_SPLIT
#include "amx_layer.h"
#include "amx_spin.h"

#include "network.h"

ICH_VARIANT(kAmx, "amx", "fp32", has_amx, tile_spin, kTileSpinFlop)
