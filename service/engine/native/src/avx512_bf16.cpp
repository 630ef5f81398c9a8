// The network for AVX-512 with bf16 products: maps and weights in bf16, sums in fp32.
#define ICH_BF16
#include "simd_avx512.h"

#include "layer.h"
#include "spin.h"

#include "network.h"

ICH_VARIANT(kAvx512Bf16, "avx512_bf16", "bf16", has_avx512_bf16, spin<Simd>, kSpinFlop<Simd>)
