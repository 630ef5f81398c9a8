// The network for AVX-512, fp32.
#include "simd_avx512.h"

#include "layer.h"
#include "spin.h"

#include "network.h"

ICH_VARIANT(kAvx512, "avx512", "fp32", has_avx512, spin<Simd>, kSpinFlop<Simd>)
