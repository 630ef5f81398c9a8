// Variant: one compilation of the network for one instruction set, as the dispatcher sees it.
//
// Every variant comes from the same templates, compiled with its own flags. All of that code lives
// in unnamed namespaces and uses no standard library: with external linkage the linker would merge
// equal names of two variants, and an old processor would then run instructions it does not have.
#pragma once

#include <cstddef>
#include <cstdint>

// One window of one slice. `voxels`: 512 x 512 Hounsfield units, row by row.
struct WindowJob {
  const int16_t* voxels;
  float lower;  // HU
  float width;  // HU, positive
  bool skip;    // leave out what is air; the answer is the same bit for bit
};

struct Variant {
  const char* name;
  const char* precision;
  bool (*supported)();     // by this processor and operating system (processor.h)
  size_t model_bytes;      // shared by all threads, read only after `load`
  size_t workspace_bytes;  // one per thread
  int64_t blob_floats;     // what `load` reads
  // Both memories are zeroed and aligned to 64 bytes by the caller.
  void (*load)(void* model, void* workspace, const float* blob);
  // Writes the 8 x 10 x 10 maps of unit 5.
  void (*run)(const void* model, void* workspace, const WindowJob& job, float* maps);
  // Multiplies and adds in registers alone, to measure what this processor can reach.
  float (*spin)(int64_t rounds);
  int64_t flop_per_round;
};

extern const Variant kAvx2, kAvx512, kAvx512Bf16;
// Null addresses where the compiler knows no tiles (build.py then leaves them out).
extern const Variant kAmx __attribute__((weak)), kAmxBf16 __attribute__((weak));
