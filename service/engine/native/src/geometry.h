// Geometry: the thirteen convolutions of the trunk (spec: service/model/trunk.py) and row spans.
#pragma once

namespace {

constexpr int kSize = 512;           // pixels; the kernels are compiled for this matrix only
constexpr int kEdge = 16;            // zero cells on both sides of a row: "same" padding, one vector
constexpr int kMaps = 8, kMap = 10;  // unit 5 gives 8 maps of 10 x 10

enum Padding { kSame, kValid };
enum Tail { kPlain, kPool };

// `kept` rows of the output stay in its ring: as many as the next convolution reads, rounded up
// to a power of two.
template <int width, int in, int out, int kernel, Padding padding, Tail tail, int kept>
struct Conv {
  static constexpr int kIn = in, kOut = out, kKernel = kernel, kKept = kept;
  static constexpr bool kKeepsSize = padding == kSame, kPools = tail == kPool, kFinal = false;
  static constexpr int kHalf = kKeepsSize ? kernel / 2 : 0;
  static constexpr int kWidth = kKeepsSize ? width : width - kernel + 1;  // before the pool
  static constexpr int kOutWidth = kPools ? kWidth / 2 : kWidth;
  static constexpr int kTaps = kernel * kernel;
};

using Conv11 = Conv<512, 1, 4, 3, kSame, kPlain, 4>;
using Conv12 = Conv<512, 4, 8, 3, kSame, kPlain, 4>;
using Conv13 = Conv<512, 8, 16, 3, kSame, kPool, 4>;
using Conv21 = Conv<256, 16, 4, 3, kSame, kPlain, 4>;
using Conv22 = Conv<256, 4, 8, 3, kSame, kPlain, 8>;
using Conv23 = Conv<256, 8, 16, 5, kSame, kPool, 8>;
using Conv31 = Conv<128, 16, 4, 5, kSame, kPlain, 8>;
using Conv32 = Conv<128, 4, 8, 5, kSame, kPlain, 8>;
using Conv33 = Conv<128, 8, 16, 5, kSame, kPool, 8>;
using Conv41 = Conv<64, 16, 4, 5, kValid, kPlain, 8>;
using Conv42 = Conv<60, 4, 8, 5, kValid, kPool, 8>;
using Conv51 = Conv<28, 8, 8, 5, kValid, kPlain, 8>;
struct Conv52 : Conv<24, 8, 8, 5, kValid, kPool, 1> {
  static constexpr bool kFinal = true;  // its maps leave in fp32, whatever the precision
};

// Pixels [begin, end) of a row.
struct Span {
  int begin, end;
  bool empty() const { return begin >= end; }
};

constexpr int least(int a, int b) { return a < b ? a : b; }
constexpr int most(int a, int b) { return a > b ? a : b; }

inline Span joined(Span a, Span b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {least(a.begin, b.begin), most(a.end, b.end)};
}

// What a convolution of this half width makes of a span.
inline Span grown(Span span, int half, int width) {
  if (span.empty()) return {0, 0};
  return {most(0, span.begin - half), least(width, span.end + half)};
}

// Whole steps that cover the span: they begin at any multiple of `unit` pixels, and end inside the
// row where the row has room for them.
inline Span covering(Span span, int step, int width, int unit) {
  if (span.empty()) return {0, 0};
  const int first = span.begin / unit * unit;
  const int length = (span.end - first + step - 1) / step * step;
  const int begin = most(0, least(first, width - length));
  return {begin, begin + length};
}

// What a 2 x 2 pool makes of a span.
inline Span halved(Span span) {
  if (span.empty()) return {0, 0};
  return {span.begin / 2, (span.end + 1) / 2};
}

}  // namespace
