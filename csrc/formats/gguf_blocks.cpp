#include "formats/gguf_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "formats/half.h"

namespace convergio::formats {

namespace {

using Byte = std::uint8_t;

float half_at(const Byte* p) { return float_of_half(static_cast<std::uint16_t>(p[0] | p[1] << 8)); }

/// Sixteen bytes of four-bit numbers: the lower halves come first, the upper ones after them.
void nibbles(const Byte* p, Byte* q, int count = 16) {
  for (int i = 0; i < count; ++i) {
    q[i] = p[i] & 15;
    q[i + count] = static_cast<Byte>(p[i] >> 4);
  }
}

/// A fifth bit for each of 32 numbers.
void add_fifth_bits(const Byte* p, Byte* q) {
  for (int i = 0; i < 32; ++i) {
    q[i] = static_cast<Byte>(q[i] | (p[i / 8] >> i % 8 & 1) << 4);
  }
}

/// All groups have these.
bool set_scales(Quantized& out, int groups, float scale, float bias) {
  for (int g = 0; g < groups; ++g) {
    out.scale[static_cast<std::size_t>(g)] = scale;
    out.bias[static_cast<std::size_t>(g)] = bias;
  }
  return std::isfinite(scale) && std::isfinite(bias);
}

/// Of a block whose first number is its scale, and whose bias is that times `Factor`.
template <int kFactor, int kOffset = 0>
float bound(const Byte* b) {
  return std::fabs(kFactor * half_at(b + kOffset));
}

float bound_of_two(const Byte* b) {
  const float one = std::fabs(half_at(b));
  const float other = std::fabs(half_at(b + 2));
  return one > other || std::isnan(one) ? one : other;
}

bool q4_0(const Byte* b, Quantized& out) {
  nibbles(b + 2, out.q.data());
  const float d = half_at(b);
  return set_scales(out, 1, d, -8 * d);
}

bool q4_1(const Byte* b, Quantized& out) {
  nibbles(b + 4, out.q.data());
  return set_scales(out, 1, half_at(b), half_at(b + 2));
}

bool q5_0(const Byte* b, Quantized& out) {
  nibbles(b + 6, out.q.data());
  add_fifth_bits(b + 2, out.q.data());
  const float d = half_at(b);
  return set_scales(out, 1, d, -16 * d);
}

bool q5_1(const Byte* b, Quantized& out) {
  nibbles(b + 8, out.q.data());
  add_fifth_bits(b + 4, out.q.data());
  return set_scales(out, 1, half_at(b), half_at(b + 2));
}

bool q8_0(const Byte* b, Quantized& out) {
  for (int i = 0; i < 32; ++i) {
    out.q[static_cast<std::size_t>(i)] = b[2 + i] ^ 128;  // signed, from -128 on
  }
  const float d = half_at(b);
  return set_scales(out, 1, d, -128 * d);
}

/// The eight scales and minima of Q4_K and Q5_K: six bits each in twelve bytes. Of the last four,
/// the two upper bits lie above those of the first four.
bool k_scales(const Byte* b, Quantized& out) {
  const float d = half_at(b);
  const float least = half_at(b + 2);
  const Byte* p = b + 4;
  for (int g = 0; g < 8; ++g) {
    const int low = g % 4;
    const int scale = g < 4 ? p[g] & 63 : (p[8 + low] & 15) | (p[low] >> 6) << 4;
    const int minimum = g < 4 ? p[4 + g] & 63 : (p[8 + low] >> 4) | (p[4 + low] >> 6) << 4;
    out.scale[static_cast<std::size_t>(g)] = d * static_cast<float>(scale);
    out.bias[static_cast<std::size_t>(g)] = -(least * static_cast<float>(minimum));
  }
  return std::isfinite(d) && std::isfinite(least);
}

bool q4_k(const Byte* b, Quantized& out) {
  for (int pair = 0; pair < 4; ++pair) {
    nibbles(b + 16 + 32 * pair, out.q.data() + 64 * pair, 32);
  }
  return k_scales(b, out);
}

bool q5_k(const Byte* b, Quantized& out) {
  for (int pair = 0; pair < 4; ++pair) {
    nibbles(b + 48 + 32 * pair, out.q.data() + 64 * pair, 32);
  }
  for (int g = 0; g < 8; ++g) {
    Byte* q = out.q.data() + 32 * g;
    for (int i = 0; i < 32; ++i) {
      q[i] = static_cast<Byte>(q[i] | (b[16 + i] >> g & 1) << 4);
    }
  }
  return k_scales(b, out);
}

/// The sixteen values of IQ4_NL and IQ4_XS, from -128 on.
constexpr std::array<Byte, 16> kUneven{1,   24,  45,  63,  79,  93,  106, 118,
                                       129, 141, 153, 166, 181, 197, 217, 241};

void uneven(const Byte* p, Byte* q) {
  nibbles(p, q);
  for (int i = 0; i < 32; ++i) {
    q[i] = kUneven[q[i]];
  }
}

bool iq4_nl(const Byte* b, Quantized& out) {
  uneven(b + 2, out.q.data());
  const float d = half_at(b);
  return set_scales(out, 1, d, -128 * d);
}

bool iq4_xs(const Byte* b, Quantized& out) {
  const float d = half_at(b);
  const int upper = b[2] | b[3] << 8;
  for (int g = 0; g < 8; ++g) {
    uneven(b + 8 + 16 * g, out.q.data() + 32 * g);
    const int lower = b[4 + g / 2] >> 4 * (g % 2) & 15;
    const float scale = d * static_cast<float>((lower | (upper >> 2 * g & 3) << 4) - 32);
    out.scale[static_cast<std::size_t>(g)] = scale;
    out.bias[static_cast<std::size_t>(g)] = -128 * scale;
  }
  return std::isfinite(d);
}

/// Five numbers of 0, 1 and 2 in a byte, as the digits of a fraction of 256 in base three.
Byte digit(Byte packed, int place) {
  constexpr std::array<int, 5> kPowers{1, 3, 9, 27, 81};
  const auto rest = static_cast<Byte>(packed * kPowers[static_cast<std::size_t>(place)]);
  return static_cast<Byte>(rest * 3 >> 8);
}

bool tq1_0(const Byte* b, Quantized& out) {
  Byte* q = out.q.data();
  const auto digits = [&](int from, int bytes, int places) {
    for (int place = 0; place < places; ++place) {
      for (int i = 0; i < bytes; ++i) {
        *q++ = digit(b[from + i], place);
      }
    }
  };
  digits(0, 32, 5);
  digits(32, 16, 5);
  digits(48, 4, 4);
  const float d = half_at(b + 52);
  return set_scales(out, 2, d, -d);
}

/// 256 numbers of two bits: of 32 bytes the lowest pairs of bits, then the next.
void pairs_of_bits(const Byte* p, Byte* q) {
  for (int part = 0; part < 8; ++part) {
    for (int i = 0; i < 32; ++i) {
      q[32 * part + i] = p[32 * (part / 4) + i] >> 2 * (part % 4) & 3;
    }
  }
}

bool tq2_0(const Byte* b, Quantized& out) {
  pairs_of_bits(b, out.q.data());
  const float d = half_at(b + 64);
  return set_scales(out, 2, d, -d);
}

bool mxfp4(const Byte* b, Quantized& out) {
  nibbles(b + 1, out.q.data());
  out.scale_bytes[0] = b[0];
  return b[0] != 255;
}

bool nvfp4(const Byte* b, Quantized& out) {
  bool finite = true;
  for (int g = 0; g < 4; ++g) {
    nibbles(b + 4 + 8 * g, out.q.data() + 16 * g, 8);
    const Byte scale = b[g] == 127 ? 0 : b[g];  // these files have no NaN, and read it as 0
    out.scale_bytes[static_cast<std::size_t>(g)] = scale;
    finite = finite && scale < 127;
  }
  return finite;
}

float q2_k_bound(const Byte* b) {
  int scale = 0;
  int least = 0;
  for (int g = 0; g < 16; ++g) {
    scale = std::max(scale, b[g] & 15);
    least = std::max(least, b[g] >> 4);
  }
  return std::fabs(half_at(b + 80)) * static_cast<float>(3 * scale) +
         std::fabs(half_at(b + 82)) * static_cast<float>(least);
}

void q2_k(const Byte* b, float* out) {
  std::array<Byte, kMostItems> q;
  pairs_of_bits(b + 16, q.data());
  const float d = half_at(b + 80);
  const float least = half_at(b + 82);
  for (int i = 0; i < kMostItems; ++i) {
    const Byte packed = b[i / 16];
    out[i] =
        d * static_cast<float>(packed & 15) * static_cast<float>(q[static_cast<std::size_t>(i)]) -
        least * static_cast<float>(packed >> 4);
  }
}

/// Of sixteen numbers of a block of Q3_K.
int q3_k_scale(const Byte* b, int g) {
  const Byte* scales = b + 96;
  const int lower = g < 8 ? scales[g] & 15 : scales[g - 8] >> 4;
  return (lower | (scales[8 + g % 4] >> 2 * (g / 4) & 3) << 4) - 32;
}

float q3_k_bound(const Byte* b) {
  int scale = 0;
  for (int g = 0; g < 16; ++g) {
    scale = std::max(scale, std::abs(q3_k_scale(b, g)));
  }
  return std::fabs(half_at(b + 108)) * static_cast<float>(4 * scale);
}

void q3_k(const Byte* b, float* out) {
  std::array<Byte, kMostItems> q;
  pairs_of_bits(b + 32, q.data());
  const float d = half_at(b + 108);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(q3_k_scale(b, g));
    for (int i = 16 * g; i < 16 * g + 16; ++i) {
      const bool whole = (b[i % 32] >> i / 32 & 1) != 0;
      const int number = q[static_cast<std::size_t>(i)] - (whole ? 0 : 4);
      out[i] = scale * static_cast<float>(number);
    }
  }
}

float q6_k_bound(const Byte* b) {
  const auto* scales = reinterpret_cast<const std::int8_t*>(b + 192);
  int scale = 0;
  for (int g = 0; g < 16; ++g) {
    scale = std::max(scale, std::abs(static_cast<int>(scales[g])));
  }
  return std::fabs(half_at(b + 208)) * static_cast<float>(32 * scale);
}

/// The quarter of a block's numbers that have the same shifts: known, so that vectors are made of
/// it.
template <int kPart>
void q6_k_part(const Byte* b, float* out) {
  for (int half = 0; half < 2; ++half) {
    const Byte* lower = b + 64 * half + 32 * (kPart % 2);
    const Byte* upper = b + 128 + 32 * half;
    float* numbers = out + 128 * half + 32 * kPart;
    for (int i = 0; i < 32; ++i) {
      const int four = kPart < 2 ? lower[i] & 15 : lower[i] >> 4;
      numbers[i] = static_cast<float>((four | (upper[i] >> 2 * kPart & 3) << 4) - 32);
    }
  }
}

void q6_k(const Byte* b, float* out) {
  const auto* scales = reinterpret_cast<const std::int8_t*>(b + 192);
  const float d = half_at(b + 208);
  q6_k_part<0>(b, out);
  q6_k_part<1>(b, out);
  q6_k_part<2>(b, out);
  q6_k_part<3>(b, out);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(scales[g]);
    for (int i = 16 * g; i < 16 * g + 16; ++i) {
      out[i] *= scale;
    }
  }
}

}  // namespace

Unpack unpack_of(const GgufKind& kind) {
  switch (kind.id) {
    case 2:
      return q4_0;
    case 3:
      return q4_1;
    case 6:
      return q5_0;
    case 7:
      return q5_1;
    case 8:
      return q8_0;
    case 12:
      return q4_k;
    case 13:
      return q5_k;
    case 20:
      return iq4_nl;
    case 23:
      return iq4_xs;
    case 34:
      return tq1_0;
    case 35:
      return tq2_0;
    case 39:
      return mxfp4;
    case 40:
      return nvfp4;
    default:
      return nullptr;
  }
}

Dequantize dequantize_of(const GgufKind& kind) {
  switch (kind.id) {
    case 10:
      return q2_k;
    case 11:
      return q3_k;
    case 14:
      return q6_k;
    default:
      return nullptr;
  }
}

Bound bound_of(const GgufKind& kind) {
  switch (kind.id) {
    case 2:
      return bound<8>;
    case 3:
    case 7:
      return bound_of_two;
    case 6:
      return bound<16>;
    case 8:
    case 20:
      return bound<128>;
    case 34:
      return bound<1, 52>;
    case 35:
      return bound<1, 64>;
    case 10:
      return q2_k_bound;
    case 11:
      return q3_k_bound;
    case 14:
      return q6_k_bound;
    default:
      return nullptr;
  }
}

}  // namespace convergio::formats
