// One float at a time, in plain C++: what every machine runs, and the reading copy of the others.
// Included once, inside a namespace of its own. Each vec_*.h gives the same names:
//   V, kLanes            a vector of floats and how many it holds
//   load, store, splat   also for the first n lanes only: load(p, n) (zero in the others)
//   load_f16 … store_bf16, in_register, fma(a, b, c) = a · b + c, sum, sums_of, vmax, largest,
//   exp2i, round_even unpack<bits>(p, out) 32 packed numbers as floats, linear order (may read
//   kOverread past them) unpack16_e2m1, unpack_e4m3   16 4-bit floats, 32 8-bit floats Words,
//   field_of, e2m1_field, repeat   packed words, for packed.inl.h

using V = float;
constexpr int kLanes = 1;
constexpr int kOverread = 8;

CONVERGIO_INLINE V splat(float x) { return x; }
CONVERGIO_INLINE V load(const float* p) {  // at any address
  float f;
  __builtin_memcpy(&f, p, sizeof(f));
  return f;
}
CONVERGIO_INLINE V load(const float* p, int n) { return n > 0 ? load(p) : 0.0F; }
CONVERGIO_INLINE void store(float* p, V v) { *p = v; }
CONVERGIO_INLINE void store(float* p, V v, int n) {
  if (n > 0) {
    *p = v;
  }
}
CONVERGIO_INLINE V in_register(V v) { return v; }
CONVERGIO_INLINE V fma(V a, V b, V c) { return a * b + c; }
CONVERGIO_INLINE float sum(V v) { return v; }
CONVERGIO_INLINE V vmax(V a, V b) { return a > b ? a : b; }
CONVERGIO_INLINE V vmin(V a, V b) { return a < b ? a : b; }
CONVERGIO_INLINE V vabs(V a) { return __builtin_fabsf(a); }
CONVERGIO_INLINE V copysign(V magnitude, V sign) { return __builtin_copysignf(magnitude, sign); }
CONVERGIO_INLINE float largest(V v) { return v; }
CONVERGIO_INLINE V where_below(V x, V limit, V then, V otherwise) {
  return x < limit ? then : otherwise;
}
CONVERGIO_INLINE void transpose(V*) {}
/// sums_of adds lanes two by two, then the sums of two, and so on; they are taken in this order.
constexpr int sum_order(int i) { return i; }
/// The sums of kLanes vectors.
CONVERGIO_INLINE V sums_of(const V* v) { return *v; }
CONVERGIO_INLINE V round_even(V v) { return __builtin_rintf(v); }

CONVERGIO_INLINE float float_of(std::uint32_t bits) {
  float f;
  __builtin_memcpy(&f, &bits, sizeof(f));
  return f;
}
CONVERGIO_INLINE std::uint32_t bits_of(float f) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &f, sizeof(bits));
  return bits;
}

/// 2 to the whole number n, -126 <= n <= 127.
CONVERGIO_INLINE V exp2i(V n) {
  return float_of(static_cast<std::uint32_t>(static_cast<std::int32_t>(n) + 127) << 23);
}

CONVERGIO_INLINE std::uint16_t read_u16(const std::uint8_t* p) {
  std::uint16_t x;
  __builtin_memcpy(&x, p, sizeof(x));
  return x;
}

/// Every finite half is a float times 2^112 less in exponent; the multiplication also scales
/// subnormals right.
CONVERGIO_INLINE float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000U) << 16;
  const std::uint32_t rest = static_cast<std::uint32_t>(h & 0x7fffU) << 13;
  const float magnitude = rest >= 0x0f800000U ? float_of(rest + 0x70000000U)  // infinity and NaN
                                              : float_of(rest) * 0x1p112F;
  return float_of(bits_of(magnitude) | sign);
}

/// Rounds to the nearest, ties to even.
CONVERGIO_INLINE std::uint16_t float_to_half(float f) {
  const std::uint32_t bits = bits_of(f);
  const std::uint32_t sign = bits >> 16 & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  std::uint32_t half;
  if (magnitude > 0x7f800000U) {
    half = 0x7e00U;
  } else if (magnitude >= 0x477ff000U) {
    half = 0x7c00U;
  } else if (magnitude < 0x38800000U) {
    // subnormal: adding 0.5 leaves the bits at the bottom, rounded by the machine
    half = bits_of(float_of(magnitude) + 0.5F) - 0x3f000000U;
  } else {
    half = (magnitude - 0x38000000U + 0xfffU + (magnitude >> 13 & 1U)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

CONVERGIO_INLINE float bfloat_to_float(std::uint16_t h) {
  return float_of(static_cast<std::uint32_t>(h) << 16);
}

CONVERGIO_INLINE std::uint16_t float_to_bfloat(float f) {
  const std::uint32_t bits = bits_of(f);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {
    return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
  }
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

CONVERGIO_INLINE V load_f16(const std::uint8_t* p) { return half_to_float(read_u16(p)); }
CONVERGIO_INLINE V load_f16(const std::uint8_t* p, int n) { return n > 0 ? load_f16(p) : 0.0F; }
CONVERGIO_INLINE V load_bf16(const std::uint8_t* p) { return bfloat_to_float(read_u16(p)); }
CONVERGIO_INLINE V load_bf16(const std::uint8_t* p, int n) { return n > 0 ? load_bf16(p) : 0.0F; }
CONVERGIO_INLINE void store_f16(std::uint8_t* p, V v, int n) {
  const std::uint16_t h = float_to_half(v);
  if (n > 0) {
    __builtin_memcpy(p, &h, sizeof(h));
  }
}
CONVERGIO_INLINE void store_bf16(std::uint8_t* p, V v, int n) {
  const std::uint16_t h = float_to_bfloat(v);
  if (n > 0) {
    __builtin_memcpy(p, &h, sizeof(h));
  }
}

template <int kBits>
CONVERGIO_INLINE void unpack(const std::uint8_t* p, V* out) {
  constexpr std::uint64_t kMask = (1U << kBits) - 1U;
  for (int i = 0; i < 32; i += 8) {  // 8 numbers are kBits bytes
    std::uint64_t word = 0;
    __builtin_memcpy(&word, p + i / 8 * kBits, kBits);
    for (int j = 0; j < 8; ++j) {
      out[i + j] = static_cast<float>(word >> (j * kBits) & kMask);
    }
  }
}

constexpr float kE2m1[16] = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                             -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};

CONVERGIO_INLINE void unpack16_e2m1(const std::uint8_t* p, V* out) {
  for (int i = 0; i < 8; ++i) {
    out[2 * i] = kE2m1[p[i] & 15];
    out[2 * i + 1] = kE2m1[p[i] >> 4];
  }
}

CONVERGIO_INLINE void unpack_e4m3(const std::uint8_t* p, V* out) {
  for (int i = 0; i < 32; ++i) {
    // the same fields as a half's, 8 powers of two lower
    const auto half = static_cast<std::uint16_t>((p[i] & 0x80) << 8 | (p[i] & 0x7f) << 7);
    out[i] = half_to_float(half) * 256.0F;
  }
}

// Packed words (see packed.inl.h): field_of<bits, j> gives field j of each lane times
// 1 / field_factor(bits, j).

using Words = std::uint32_t;

CONVERGIO_INLINE Words load_words(const std::uint8_t* p) {
  Words v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
CONVERGIO_INLINE Words load_words(const std::uint8_t* p, int n) {
  return n > 0 ? load_words(p) : 0;
}

template <int kBits, int kField>
CONVERGIO_INLINE V field_of(Words v) {
  return static_cast<float>(v >> (kBits * kField) & ((1U << kBits) - 1U));
}
constexpr float field_factor(int, int) { return 1.0F; }

template <int kField>
CONVERGIO_INLINE V e2m1_field(Words v) {
  return kE2m1[v >> (4 * kField) & 15U];
}

/// Each number kTimes in a row.
template <int kTimes>
CONVERGIO_INLINE V repeat_from(const float* p) {
  return *p;
}

CONVERGIO_INLINE V load_e8m0(const std::uint8_t* p, int n) {
  return n <= 0 ? 0.0F : float_of(*p == 0 ? 0x400000U : static_cast<std::uint32_t>(*p) << 23);
}
CONVERGIO_INLINE V load_e4m3(const std::uint8_t* p, int n) {
  return n <= 0 ? 0.0F
                : half_to_float(static_cast<std::uint16_t>((*p & 0x80) << 8 | (*p & 0x7f) << 7)) *
                      256.0F;
}

#include "kernels/bodies/repeat.inl.h"
