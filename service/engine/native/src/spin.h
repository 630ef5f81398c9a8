// Spin: multiply-adds in registers and nothing else, the most that this processor can reach.
#pragma once

#include "geometry.h"

namespace {

template <class S>
constexpr int64_t kSpinFlop = 2LL * S::kLanes * S::kAccumulators * (S::kPairs ? 2 : 1);

// Returns a value that depends on all of them, so that none can be left out.
template <class S>
float spin(int64_t rounds) {
  typename S::Vector sum[S::kAccumulators];
  const auto factor = S::broadcast(0.9375f), term = S::broadcast(0.0625f);
  for (auto& each : sum) each = term;
  for (int64_t i = 0; i < rounds; i++) {
#pragma GCC unroll 16
    for (auto& each : sum) {
      if constexpr (S::kPairs)
        each = S::multiply_add_pairs(factor, term, each);
      else
        each = S::multiply_add(each, factor, term);
    }
  }
  float out[S::kLanes], total = 0;
  for (const auto& each : sum) {
    S::store(out, each);
    total += out[0];
  }
  return total;
}

}  // namespace
