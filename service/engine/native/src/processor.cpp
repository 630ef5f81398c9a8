// Processor: see processor.h.
#include "processor.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

// CPUID 7.0, EDX: the tiles themselves, and their bf16 products.
constexpr unsigned kTiles = 1u << 24, kTileBf16 = 1u << 22;
// XCR0: the system saves the tiles' shape and their data when it switches threads.
constexpr unsigned kTileState = 3u << 17;

bool tiles_in_processor() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  return (d & kTiles) && (d & kTileBf16);
}

bool tiles_in_system() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kOsXsave = 1u << 27;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kOsXsave)) return false;
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileState) == kTileState;
}

// For all threads of the process, now and later. Fails on kernels before 5.16, in a sandbox that
// forbids it, and where a thread's signal stack is too small for the tiles.
bool tiles_granted() {
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}

}  // namespace

bool has_avx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_avx512() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

bool has_amx() {
  static const bool found =
      has_avx512_bf16() && tiles_in_processor() && tiles_in_system() && tiles_granted();
  return found;
}
