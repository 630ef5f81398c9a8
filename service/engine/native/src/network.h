// Network: units 1 to 5 for one window, from voxels to the maps that the dense layers read.
//
// Include it behind the headers that define Numbers and Layer, for registers (layer.h) or for tiles
// (amx_layer.h); ICH_VARIANT then makes the table of that variant.
#pragma once

#include "processor.h"
#include "variant.h"

namespace {

using Source = Input<Numbers>;
using Layer11 = Layer<Numbers, Conv11, Source>;
using Layer12 = Layer<Numbers, Conv12, Layer11>;
using Layer13 = Layer<Numbers, Conv13, Layer12>;
using Layer21 = Layer<Numbers, Conv21, Layer13>;
using Layer22 = Layer<Numbers, Conv22, Layer21>;
using Layer23 = Layer<Numbers, Conv23, Layer22>;
using Layer31 = Layer<Numbers, Conv31, Layer23>;
using Layer32 = Layer<Numbers, Conv32, Layer31>;
using Layer33 = Layer<Numbers, Conv33, Layer32>;
using Layer41 = Layer<Numbers, Conv41, Layer33>;
using Layer42 = Layer<Numbers, Conv42, Layer41>;
using Layer51 = Layer<Numbers, Conv51, Layer42>;
using Layer52 = Layer<Numbers, Conv52, Layer51>;

// The member functions of the two take the layers in their order, first to last.
struct Model {
  Layer11::Model m11;
  Layer12::Model m12;
  Layer13::Model m13;
  Layer21::Model m21;
  Layer22::Model m22;
  Layer23::Model m23;
  Layer31::Model m31;
  Layer32::Model m32;
  Layer33::Model m33;
  Layer41::Model m41;
  Layer42::Model m42;
  Layer51::Model m51;
  Layer52::Model m52;
  float sign[kMaps];  // of the last batch norm's scale

  void load(const float* blob) {
    load_each(blob, m11, m12, m13, m21, m22, m23, m31, m32, m33, m41, m42, m51, m52);
  }

 private:
  template <class... Each>
  void load_each(const float* blob, Each&... each) {
    (each.weights.load(blob), ...);
    memcpy(sign, blob, sizeof sign);
  }
};

struct Workspace {
  Source input;
  Layer11 l11;
  Layer12 l12;
  Layer13 l13;
  Layer21 l21;
  Layer22 l22;
  Layer23 l23;
  Layer31 l31;
  Layer32 l32;
  Layer33 l33;
  Layer41 l41;
  Layer42 l42;
  Layer51 l51;
  Layer52 l52;

  void start(const Model& m, const WindowJob& job, Mode mode) {
    input.start(job);
    l11.start(input, m.m11, mode);
    l12.start(l11, m.m12, mode);
    l13.start(l12, m.m13, mode);
    l21.start(l13, m.m21, mode);
    l22.start(l21, m.m22, mode);
    l23.start(l22, m.m23, mode);
    l31.start(l23, m.m31, mode);
    l32.start(l31, m.m32, mode);
    l33.start(l32, m.m33, mode);
    l41.start(l33, m.m41, mode);
    l42.start(l41, m.m42, mode);
    l51.start(l42, m.m51, mode);
    l52.start(l51, m.m52, mode);
  }

  void finish(const Model& m, float* maps) {
    for (int y = 0; y < kMap; y++) {
      l52.ensure(y);
      for (int c = 0; c < kMaps; c++)
        for (int x = 0; x < kMap; x++)
          maps[(c * kMap + y) * kMap + x] = m.sign[c] * l52.value(y, c, x);
    }
  }
};

template <class... Each>
constexpr int64_t floats_of() {
  return (int64_t{kMaps} + ... + (Each::kOut * (Each::kIn * Each::kTaps + 2)));
}
constexpr int64_t kBlobFloats = floats_of<Conv11, Conv12, Conv13, Conv21, Conv22, Conv23, Conv31,
                                          Conv32, Conv33, Conv41, Conv42, Conv51, Conv52>();

void run_window(const void* model, void* workspace, const WindowJob& job, float* maps) {
  const Session session;
  const Model& m = *static_cast<const Model*>(model);
  Workspace& w = *static_cast<Workspace*>(workspace);
  w.start(m, job, {job.skip, false});
  w.finish(m, maps);
}

void load_model(void* model, void* workspace, const float* blob) {
  const Session session;
  static const int16_t air[kSize * kSize] = {};  // zero HU, under a window that begins at zero
  float maps[kMaps * kMap * kMap];
  Model& m = *static_cast<Model*>(model);
  Workspace& w = *static_cast<Workspace*>(workspace);
  m.load(blob);
  w.start(m, {air, 0.0f, 1.0f, false}, {false, true});
  w.finish(m, maps);
}

}  // namespace

#define ICH_VARIANT(symbol, name, precision, supported, spin, spin_flop)              \
  const Variant symbol = {name,              precision,   supported,  sizeof(Model), \
                          sizeof(Workspace), kBlobFloats, load_model, run_window,    \
                          spin,              spin_flop};
