// Processor: which instruction sets this processor has and this operating system lets it use.
#pragma once

bool has_avx2();         // with FMA
bool has_avx512();       // F, BW, DQ and VL
bool has_avx512_bf16();  // and bf16 products
// And tiles with bf16 products, which Linux gives to a process that asks for them: asks, once.
bool has_amx();
