// The network for AVX2 with FMA, fp32.
#include "simd_avx2.h"

#include "network.h"

ICH_VARIANT(kAvx2, "avx2", "fp32")
