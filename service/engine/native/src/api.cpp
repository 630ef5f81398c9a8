// Api: the C functions that service/engine/native/library.py calls, and the choice of a variant.
//
// Compiled for any x86-64: only what `supported` has allowed may run a variant's code.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "team.h"
#include "variant.h"

namespace {

constexpr int kVoxels = 512 * 512, kMapCells = 800;

const Variant* const kVariants[] = {&kAmxBf16, &kAmx, &kAvx512Bf16, &kAvx512, &kAvx2};
constexpr int kVariantCount = sizeof kVariants / sizeof *kVariants;

// The variant that was built, and is supported here.
const Variant* usable(const char* name) {
  for (const Variant* variant : kVariants)
    if (variant != nullptr && std::strcmp(variant->name, name) == 0)
      return variant->supported() ? variant : nullptr;
  return nullptr;
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, Free>;

Memory zeroed(size_t bytes) {
  const size_t whole = (bytes + 63) / 64 * 64;
  Memory memory(std::aligned_alloc(64, whole));
  if (!memory) throw std::bad_alloc();
  std::memset(memory.get(), 0, whole);
  return memory;
}

struct Engine {
  Engine(const Variant& chosen, const float* blob, int threads)
      : variant(chosen), team(threads), model(zeroed(chosen.model_bytes)) {
    for (int i = 0; i < team.members(); i++) workspaces.push_back(zeroed(variant.workspace_bytes));
    variant.load(model.get(), workspaces[0].get(), blob);
  }

  const Variant& variant;
  Team team;
  Memory model;
  std::vector<Memory> workspaces;  // one per member of the team
  std::mutex one_call;
};

}  // namespace

#define ICH_API extern "C" __attribute__((visibility("default")))

// The name of variant `index`, fastest first; empty if it was not built, null behind the last.
ICH_API const char* ich_variant(int index) {
  if (index < 0 || index >= kVariantCount) return nullptr;
  return kVariants[index] == nullptr ? "" : kVariants[index]->name;
}

// Null if this processor and operating system do not run the variant.
ICH_API const char* ich_precision(const char* name) {
  const Variant* variant = usable(name);
  return variant == nullptr ? nullptr : variant->precision;
}

// An engine of that variant; null if it is unknown or not supported, `floats` is not the length of
// a blob, or memory is short.
ICH_API void* ich_open(const char* name, const float* blob, int64_t floats, int threads) {
  const Variant* variant = usable(name);
  if (variant == nullptr || floats != variant->blob_floats || threads < 1) return nullptr;
  try {
    return new Engine(*variant, blob, threads);
  } catch (...) {
    return nullptr;
  }
}

ICH_API void ich_close(void* handle) { delete static_cast<Engine*>(handle); }

// Threads at work, the caller's included.
ICH_API int ich_threads(void* handle) { return static_cast<Engine*>(handle)->team.members(); }

// Job i: window (lower[i], width[i]) of slice slice_of[i] -> maps + 800 i.
ICH_API void ich_run(void* handle, const int16_t* voxels, const int32_t* slice_of,
                     const float* lower, const float* width, int jobs, int skip, float* maps) {
  Engine& engine = *static_cast<Engine*>(handle);
  const std::lock_guard<std::mutex> lock(engine.one_call);
  engine.team.share(jobs, [&](int task, int member) {
    const int16_t* slice = voxels + static_cast<int64_t>(slice_of[task]) * kVoxels;
    engine.variant.run(engine.model.get(), engine.workspaces[member].get(),
                       {slice, lower[task], width[task], skip != 0},
                       maps + static_cast<int64_t>(task) * kMapCells);
  });
}

// Runs `rounds` of multiply-adds in registers on this thread; returns the operations of all.
ICH_API double ich_spin(const char* name, int64_t rounds) {
  const Variant* variant = usable(name);
  if (variant == nullptr) return 0.0;
  volatile float used = variant->spin(rounds);  // else the loop has no effect and is left out
  (void)used;
  return static_cast<double>(variant->flop_per_round) * static_cast<double>(rounds);
}
