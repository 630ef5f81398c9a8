// The network for AMX with bf16 products: maps and weights in bf16, sums in fp32.
#include "amx_layer.h"
#include "amx_spin.h"

#include "network.h"

ICH_VARIANT(kAmxBf16, "amx_bf16", "bf16", has_amx, tile_spin, kTileSpinFlop)
