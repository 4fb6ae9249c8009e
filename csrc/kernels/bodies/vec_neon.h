// Four floats at a time: NEON of 64-bit Arm. The names are those of vec_scalar.h.

#include "kernels/bodies/gather.inl.h"

using V = float32x4_t;
constexpr int kLanes = 4;
constexpr int kOverread = 16;

CONVERGIO_INLINE V splat(float x) { return vdupq_n_f32(x); }
CONVERGIO_INLINE V load(const float* p) { return vld1q_f32(p); }
CONVERGIO_INLINE V load(const float* p, int n) {
  float lanes[4] = {};
  for (int i = 0; i < n && i < 4; ++i) {
    lanes[i] = p[i];
  }
  return vld1q_f32(lanes);
}
CONVERGIO_INLINE void store(float* p, V v) { vst1q_f32(p, v); }
CONVERGIO_INLINE void store(float* p, V v, int n) {
  float lanes[4];
  vst1q_f32(lanes, v);
  for (int i = 0; i < n && i < 4; ++i) {
    p[i] = lanes[i];
  }
}
CONVERGIO_INLINE V in_register(V v) { return v; }
CONVERGIO_INLINE V fma(V a, V b, V c) { return vfmaq_f32(c, a, b); }
CONVERGIO_INLINE float sum(V v) { return vaddvq_f32(v); }
CONVERGIO_INLINE V vmax(V a, V b) { return vmaxq_f32(a, b); }
CONVERGIO_INLINE V vmin(V a, V b) { return vminq_f32(a, b); }
CONVERGIO_INLINE V vabs(V a) { return vabsq_f32(a); }
CONVERGIO_INLINE V copysign(V magnitude, V sign) {
  return vbslq_f32(vdupq_n_u32(0x80000000U), sign, magnitude);
}
CONVERGIO_INLINE float largest(V v) { return vmaxvq_f32(v); }
CONVERGIO_INLINE V where_below(V x, V limit, V then, V otherwise) {
  return vbslq_f32(vcltq_f32(x, limit), then, otherwise);
}
CONVERGIO_INLINE void transpose(V* r) {
  const float32x4_t a = vzip1q_f32(r[0], r[2]);
  const float32x4_t b = vzip2q_f32(r[0], r[2]);
  const float32x4_t c = vzip1q_f32(r[1], r[3]);
  const float32x4_t d = vzip2q_f32(r[1], r[3]);
  r[0] = vzip1q_f32(a, c);
  r[1] = vzip2q_f32(a, c);
  r[2] = vzip1q_f32(b, d);
  r[3] = vzip2q_f32(b, d);
}
constexpr int sum_order(int i) { return i; }
CONVERGIO_INLINE V sums_of(const V* v) {
  return vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3]));
}
CONVERGIO_INLINE V round_even(V v) { return vrndnq_f32(v); }
CONVERGIO_INLINE V exp2i(V n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
}

CONVERGIO_INLINE uint16x4_t load_halves(const std::uint8_t* p) {
  return vreinterpret_u16_u8(vld1_u8(p));
}
CONVERGIO_INLINE uint16x4_t load_halves(const std::uint8_t* p, int n) {
  std::uint16_t lanes[4] = {};
  for (int i = 0; i < n && i < 4; ++i) {
    __builtin_memcpy(lanes + i, p + 2 * i, 2);
  }
  return vld1_u16(lanes);
}
CONVERGIO_INLINE void store_halves(std::uint8_t* p, uint16x4_t halves, int n) {
  if (n >= 4) {
    vst1_u8(p, vreinterpret_u8_u16(halves));
    return;
  }
  std::uint16_t lanes[4];
  vst1_u16(lanes, halves);
  for (int i = 0; i < n; ++i) {
    __builtin_memcpy(p + 2 * i, lanes + i, 2);
  }
}

CONVERGIO_INLINE V float16s(uint16x4_t halves) {
  return vcvt_f32_f16(vreinterpret_f16_u16(halves));
}
CONVERGIO_INLINE V bfloats(uint16x4_t halves) {
  return vreinterpretq_f32_u32(vshll_n_u16(halves, 16));
}
CONVERGIO_INLINE V load_f16(const std::uint8_t* p) { return float16s(load_halves(p)); }
CONVERGIO_INLINE V load_f16(const std::uint8_t* p, int n) { return float16s(load_halves(p, n)); }
CONVERGIO_INLINE V load_bf16(const std::uint8_t* p) { return bfloats(load_halves(p)); }
CONVERGIO_INLINE V load_bf16(const std::uint8_t* p, int n) { return bfloats(load_halves(p, n)); }
CONVERGIO_INLINE void store_f16(std::uint8_t* p, V v, int n) {
  store_halves(p, vreinterpret_u16_f16(vcvt_f16_f32(v)), n);
}
CONVERGIO_INLINE void store_bf16(std::uint8_t* p, V v, int n) {
  const uint32x4_t bits = vreinterpretq_u32_f32(v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t up = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd);
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  store_halves(p, vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), up, quiet), 16), n);
}

/// 16 bytes as floats.
CONVERGIO_INLINE void widen(uint8x16_t bytes, V* out) {
  const uint16x8_t low = vmovl_u8(vget_low_u8(bytes));
  const uint16x8_t high = vmovl_u8(vget_high_u8(bytes));
  out[0] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(low)));
  out[1] = vcvtq_f32_u32(vmovl_u16(vget_high_u16(low)));
  out[2] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(high)));
  out[3] = vcvtq_f32_u32(vmovl_u16(vget_high_u16(high)));
}

template <int kBits, int kFirst>
CONVERGIO_INLINE void unpack4(const std::uint8_t* p, V* out) {
  static constexpr Gather<kBits, kFirst, 4> kGather;
  const uint32x4_t lanes = vreinterpretq_u32_u8(vqtbl1q_u8(vld1q_u8(p), vld1q_u8(kGather.at)));
  const uint32x4_t moved = vshlq_u32(lanes, vnegq_s32(vld1q_s32(kGather.shift)));
  out[0] = vcvtq_f32_u32(vandq_u32(moved, vdupq_n_u32((1U << kBits) - 1U)));
}

template <int kBits>
CONVERGIO_INLINE void unpack(const std::uint8_t* p, V* out) {
  if constexpr (kBits == 8) {
    widen(vld1q_u8(p), out);
    widen(vld1q_u8(p + 16), out + 4);
  } else if constexpr (kBits == 4) {
    const uint8x16_t both = vld1q_u8(p);
    const uint8x16_t even = vandq_u8(both, vdupq_n_u8(15));
    const uint8x16_t odd = vshrq_n_u8(both, 4);
    widen(vzip1q_u8(even, odd), out);
    widen(vzip2q_u8(even, odd), out + 4);
  } else {
    unpack4<kBits, 0>(p, out);
    unpack4<kBits, 4>(p, out + 1);
    unpack4<kBits, 8>(p, out + 2);
    unpack4<kBits, 12>(p, out + 3);
    p += 2 * kBits;  // 16 numbers
    unpack4<kBits, 0>(p, out + 4);
    unpack4<kBits, 4>(p, out + 5);
    unpack4<kBits, 8>(p, out + 6);
    unpack4<kBits, 12>(p, out + 7);
  }
}

CONVERGIO_INLINE void unpack16_e2m1(const std::uint8_t* p, V* out) {
  // twice the values, as signed bytes
  alignas(16) static const std::int8_t kTwice[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                     0, -1, -2, -3, -4, -6, -8, -12};
  const uint8x8_t both = vld1_u8(p);
  const uint8x8_t even = vand_u8(both, vdup_n_u8(15));
  const uint8x8_t odd = vshr_n_u8(both, 4);
  const uint8x16_t codes = vcombine_u8(vzip1_u8(even, odd), vzip2_u8(even, odd));
  const int8x16_t twice = vqtbl1q_s8(vld1q_s8(kTwice), codes);
  const int16x8_t low = vmovl_s8(vget_low_s8(twice));
  const int16x8_t high = vmovl_s8(vget_high_s8(twice));
  out[0] = vcvtq_n_f32_s32(vmovl_s16(vget_low_s16(low)), 1);
  out[1] = vcvtq_n_f32_s32(vmovl_s16(vget_high_s16(low)), 1);
  out[2] = vcvtq_n_f32_s32(vmovl_s16(vget_low_s16(high)), 1);
  out[3] = vcvtq_n_f32_s32(vmovl_s16(vget_high_s16(high)), 1);
}

CONVERGIO_INLINE void unpack_e4m3(const std::uint8_t* p, V* out) {
  for (int i = 0; i < 4; ++i) {
    // the same fields as a half's, 8 powers of two lower
    const uint16x8_t bytes = vmovl_u8(vld1_u8(p + 8 * i));
    const uint16x8_t sign = vshlq_n_u16(vandq_u16(bytes, vdupq_n_u16(0x80)), 8);
    const uint16x8_t rest = vshlq_n_u16(vandq_u16(bytes, vdupq_n_u16(0x7f)), 7);
    const uint16x8_t halves = vorrq_u16(sign, rest);
    out[2 * i] = float16s(vget_low_u16(halves)) * splat(256.0F);
    out[2 * i + 1] = float16s(vget_high_u16(halves)) * splat(256.0F);
  }
}

using Words = uint32x4_t;

CONVERGIO_INLINE Words load_words(const std::uint8_t* p) {
  return vreinterpretq_u32_u8(vld1q_u8(p));
}
CONVERGIO_INLINE Words load_words(const std::uint8_t* p, int n) {
  std::uint32_t lanes[4] = {};
  for (int i = 0; i < n && i < 4; ++i) {
    __builtin_memcpy(lanes + i, p + 4 * i, 4);
  }
  return vld1q_u32(lanes);
}

/// The conversion divides by the power of two that the mask leaves in.
template <int kBits, int kField>
CONVERGIO_INLINE V field_of(Words v) {
  constexpr std::uint32_t kMask = ((1U << kBits) - 1U) << (kBits * kField);
  if constexpr (kField == 0) {
    return vcvtq_f32_u32(vandq_u32(v, vdupq_n_u32(kMask)));
  } else {
    return vcvtq_n_f32_u32(vandq_u32(v, vdupq_n_u32(kMask)), kBits * kField);
  }
}
constexpr float field_factor(int, int) { return 1.0F; }

template <int kField>
CONVERGIO_INLINE V e2m1_field(Words v) {
  // twice the values, as signed bytes: all four fields of this parity are looked up at once
  alignas(16) static const std::int8_t kTwice[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                     0, -1, -2, -3, -4, -6, -8, -12};
  const uint8x16_t bytes = vreinterpretq_u8_u32(v);
  const uint8x16_t codes = kField % 2 == 0 ? vandq_u8(bytes, vdupq_n_u8(15)) : vshrq_n_u8(bytes, 4);
  const int32x4_t twice = vreinterpretq_s32_s8(vqtbl1q_s8(vld1q_s8(kTwice), codes));
  const int32x4_t top = vshlq_n_s32(twice, 24 - kField / 2 * 8);
  return vcvtq_n_f32_s32(vandq_s32(top, vdupq_n_s32(static_cast<int>(0xff000000U))), 25);
}

template <int kTimes>
CONVERGIO_INLINE V repeat_from(const float* p) {
  if constexpr (kTimes >= 4) {
    return vdupq_n_f32(*p);
  } else {
    const float32x2_t two = vld1_f32(p);
    return vcombine_f32(vdup_lane_f32(two, 0), vdup_lane_f32(two, 1));
  }
}

/// The first n bytes, two bytes apart; the others are zero.
CONVERGIO_INLINE uint16x4_t load_bytes(const std::uint8_t* p, int n) {
  std::uint16_t lanes[4] = {};
  for (int i = 0; i < n && i < 4; ++i) {
    lanes[i] = p[i];
  }
  return vld1_u16(lanes);
}
CONVERGIO_INLINE V load_e8m0(const std::uint8_t* p, int n) {
  const uint32x4_t codes = vmovl_u16(load_bytes(p, n));
  const uint32x4_t bits = vmaxq_u32(vshlq_n_u32(codes, 23), vdupq_n_u32(0x400000));
  const std::int32_t lanes[4] = {0, 1, 2, 3};
  return vreinterpretq_f32_u32(vandq_u32(bits, vcltq_s32(vld1q_s32(lanes), vdupq_n_s32(n))));
}
CONVERGIO_INLINE V load_e4m3(const std::uint8_t* p, int n) {
  const uint16x4_t codes = load_bytes(p, n);
  const uint16x4_t sign = vshl_n_u16(vand_u16(codes, vdup_n_u16(0x80)), 8);
  const uint16x4_t rest = vshl_n_u16(vand_u16(codes, vdup_n_u16(0x7f)), 7);
  return float16s(vorr_u16(sign, rest)) * splat(256.0F);
}

#include "kernels/bodies/repeat.inl.h"
