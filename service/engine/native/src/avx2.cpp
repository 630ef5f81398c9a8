// The network for AVX2 with FMA, fp32.
#include "simd_avx2.h"

#include "layer.h"
#include "spin.h"

#include "network.h"

ICH_VARIANT(kAvx2, "avx2", "fp32", has_avx2, spin<Simd>, kSpinFlop<Simd>)
