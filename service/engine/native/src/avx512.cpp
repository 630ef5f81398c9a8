// The network for AVX-512, fp32.
#include "simd_avx512.h"

#include "network.h"

ICH_VARIANT(kAvx512, "avx512", "fp32")
