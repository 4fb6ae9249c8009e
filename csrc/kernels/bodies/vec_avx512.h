// Sixteen floats at a time: AVX-512 F, BW, DQ, VL. The names are those of vec_scalar.h.

#include "kernels/bodies/gather.inl.h"

using V = __m512;
constexpr int kLanes = 16;
constexpr int kOverread = 16;

CONVERGIO_INLINE __mmask16 first_lanes(int n) {
  return n >= 16 ? static_cast<__mmask16>(0xffff)
                 : static_cast<__mmask16>(n > 0 ? (1U << n) - 1U : 0U);
}

CONVERGIO_INLINE V splat(float x) { return _mm512_set1_ps(x); }
CONVERGIO_INLINE V load(const float* p) { return _mm512_loadu_ps(p); }
CONVERGIO_INLINE V load(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
CONVERGIO_INLINE void store(float* p, V v) { _mm512_storeu_ps(p, v); }
CONVERGIO_INLINE void store(float* p, V v, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
/// The same, kept in a register: where it is used several times GCC may read it from memory each
/// time.
CONVERGIO_INLINE V in_register(V v) {
  __asm__("" : "+v"(v));
  return v;
}
CONVERGIO_INLINE V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
CONVERGIO_INLINE V vmax(V a, V b) { return _mm512_max_ps(a, b); }
CONVERGIO_INLINE V vmin(V a, V b) { return _mm512_min_ps(a, b); }
CONVERGIO_INLINE V vabs(V a) { return _mm512_abs_ps(a); }
CONVERGIO_INLINE V copysign(V magnitude, V sign) {
  return _mm512_or_ps(magnitude, _mm512_and_ps(_mm512_set1_ps(-0.0F), sign));
}
CONVERGIO_INLINE float sum(V v) { return _mm512_reduce_add_ps(v); }
CONVERGIO_INLINE float largest(V v) { return _mm512_reduce_max_ps(v); }
CONVERGIO_INLINE V where_below(V x, V limit, V then, V otherwise) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, limit, _CMP_LT_OQ), otherwise, then);
}
CONVERGIO_INLINE void transpose(V* v) {
  __m512i r[16];
  __m512i t[16];
  for (int i = 0; i < 16; ++i) {
    r[i] = _mm512_castps_si512(v[i]);
  }
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // r[4i + j], 128-bit part p: items 4p + j of rows 4i … 4i + 3
  for (int j = 0; j < 4; ++j) {
    const __m512i a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x44);
    const __m512i b = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xee);
    const __m512i c = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x44);
    const __m512i d = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xee);
    v[j] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(a, c, 0x88));
    v[4 + j] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(a, c, 0xdd));
    v[8 + j] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(b, d, 0x88));
    v[12 + j] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(b, d, 0xdd));
  }
}
constexpr int sum_order(int i) { return (i & ~3) | (i & 1) << 1 | (i >> 1 & 1); }
CONVERGIO_INLINE V sums_of(const V* v) {
  V quarters[4];  // of rows 4i … 4i + 3, four times: once for each 128 bits
  for (int i = 0; i < 4; ++i) {
    const V* r = v + 4 * i;
    const V a = _mm512_unpacklo_ps(r[0], r[1]) + _mm512_unpackhi_ps(r[0], r[1]);
    const V b = _mm512_unpacklo_ps(r[2], r[3]) + _mm512_unpackhi_ps(r[2], r[3]);
    quarters[i] = _mm512_shuffle_ps(a, b, 0x44) + _mm512_shuffle_ps(a, b, 0xee);
  }
  const V a = _mm512_shuffle_f32x4(quarters[0], quarters[1], 0x88) +
              _mm512_shuffle_f32x4(quarters[0], quarters[1], 0xdd);
  const V b = _mm512_shuffle_f32x4(quarters[2], quarters[3], 0x88) +
              _mm512_shuffle_f32x4(quarters[2], quarters[3], 0xdd);
  return _mm512_shuffle_f32x4(a, b, 0x88) + _mm512_shuffle_f32x4(a, b, 0xdd);
}
CONVERGIO_INLINE V round_even(V v) {
  return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
CONVERGIO_INLINE V exp2i(V n) { return _mm512_scalef_ps(_mm512_set1_ps(1.0F), n); }

CONVERGIO_INLINE __m256i load_halves(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p));
}
CONVERGIO_INLINE __m256i load_halves(const std::uint8_t* p, int n) {
  return _mm256_maskz_loadu_epi16(first_lanes(n), p);
}
CONVERGIO_INLINE V bfloats(__m256i halves) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
CONVERGIO_INLINE V load_f16(const std::uint8_t* p) { return _mm512_cvtph_ps(load_halves(p)); }
CONVERGIO_INLINE V load_f16(const std::uint8_t* p, int n) {
  return _mm512_cvtph_ps(load_halves(p, n));
}
CONVERGIO_INLINE V load_bf16(const std::uint8_t* p) { return bfloats(load_halves(p)); }
CONVERGIO_INLINE V load_bf16(const std::uint8_t* p, int n) { return bfloats(load_halves(p, n)); }
CONVERGIO_INLINE void store_f16(std::uint8_t* p, V v, int n) {
  _mm256_mask_storeu_epi16(p, first_lanes(n),
                           _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
CONVERGIO_INLINE void store_bf16(std::uint8_t* p, V v, int n) {
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  const __m512i rounded = _mm512_mask_or_epi32(up, nan, bits, _mm512_set1_epi32(0x400000));
  _mm256_mask_storeu_epi16(p, first_lanes(n),
                           _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}

/// Sixteen entries looked up by the lowest four bits of each lane.
CONVERGIO_INLINE V look_up(V table, __m512i lanes) { return _mm512_permutexvar_ps(lanes, table); }

/// 16 numbers of kBits bits to the low end of 16 lanes, with other numbers' bits above them.
template <int kBits>
CONVERGIO_INLINE __m512i spread(const std::uint8_t* p) {
  if constexpr (kBits == 2) {
    std::int32_t word;
    __builtin_memcpy(&word, p, sizeof(word));
    return _mm512_srlv_epi32(
        _mm512_set1_epi32(word),
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30));
  } else if constexpr (kBits == 4) {
    const __m512i words = _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1),
        _mm512_castsi128_si512(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p))));
    return _mm512_srlv_epi32(
        words, _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28));
  } else if constexpr (kBits == 8) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p)));
  } else {
    static constexpr Gather<kBits, 0, 16> kGather;
    const __m512i four =
        _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p)));
    return _mm512_srlv_epi32(_mm512_shuffle_epi8(four, _mm512_loadu_si512(kGather.at)),
                             _mm512_loadu_si512(kGather.shift));
  }
}

template <int kBits>
CONVERGIO_INLINE void unpack(const std::uint8_t* p, V* out) {
  for (int i = 0; i < 2; ++i) {
    const __m512i lanes = spread<kBits>(p + 2 * kBits * i);
    out[i] = _mm512_cvtepi32_ps(
        kBits == 8 ? lanes : _mm512_and_si512(lanes, _mm512_set1_epi32((1 << kBits) - 1)));
  }
}

CONVERGIO_INLINE V e2m1_values() {
  return _mm512_setr_ps(0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F, -0.0F, -0.5F, -1.0F, -1.5F,
                        -2.0F, -3.0F, -4.0F, -6.0F);
}

CONVERGIO_INLINE void unpack16_e2m1(const std::uint8_t* p, V* out) {
  out[0] = look_up(e2m1_values(), spread<4>(p));
}

/// Sixteen bytes: the same fields as a half's, 8 powers of two lower.
CONVERGIO_INLINE V e4m3s(__m128i sixteen) {
  const __m256i bytes = _mm256_cvtepu8_epi16(sixteen);
  const __m256i sign = _mm256_slli_epi16(_mm256_and_si256(bytes, _mm256_set1_epi16(0x80)), 8);
  const __m256i rest = _mm256_slli_epi16(_mm256_and_si256(bytes, _mm256_set1_epi16(0x7f)), 7);
  return _mm512_cvtph_ps(_mm256_or_si256(sign, rest)) * splat(256.0F);
}
CONVERGIO_INLINE void unpack_e4m3(const std::uint8_t* p, V* out) {
  for (int i = 0; i < 2; ++i) {
    out[i] = e4m3s(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p + 16 * i)));
  }
}

using Words = __m512i;

CONVERGIO_INLINE Words load_words(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
CONVERGIO_INLINE Words load_words(const std::uint8_t* p, int n) {
  return _mm512_maskz_loadu_epi32(first_lanes(n), p);
}

/// A mask leaves a field up to 16 bits up; the upper half of a word is moved down first.
template <int kBits, int kField>
CONVERGIO_INLINE V field_of(Words v) {
  constexpr int kInHalf = kBits * kField % 16;
  const __m512i half = kBits * kField < 16 ? v : _mm512_srli_epi32(v, 16);
  return _mm512_cvtepi32_ps(
      _mm512_and_si512(half, _mm512_set1_epi32(((1 << kBits) - 1) << kInHalf)));
}
constexpr float field_factor(int bits, int field) {
  return 1.0F / static_cast<float>(1 << bits * field % 16);
}

template <int kField>
CONVERGIO_INLINE V e2m1_field(Words v) {
  return look_up(e2m1_values(), _mm512_srli_epi32(v, 4 * kField));
}

/// Sixteen numbers, one a group.
struct Groups {
  V at;
};
CONVERGIO_INLINE void set(Groups& g, int, V v) { g.at = v; }
/// The numbers from `first` on, each kTimes in a row.
template <int kTimes>
CONVERGIO_INLINE V repeat(const Groups& g, int first) {
  const __m512i lanes =
      kTimes >= 16  ? _mm512_setzero_si512()
      : kTimes == 8 ? _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)
      : kTimes == 4 ? _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3)
                    : _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  static_assert(kTimes == 2 || kTimes == 4 || kTimes == 8 || kTimes >= 16);
  return _mm512_permutexvar_ps(_mm512_add_epi32(lanes, _mm512_set1_epi32(first)), g.at);
}

CONVERGIO_INLINE V load_e8m0(const std::uint8_t* p, int n) {
  const __m512i bits =
      _mm512_slli_epi32(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes(n), p)), 23);
  return _mm512_castsi512_ps(
      _mm512_maskz_max_epi32(first_lanes(n), bits, _mm512_set1_epi32(0x400000)));
}
CONVERGIO_INLINE V load_e4m3(const std::uint8_t* p, int n) {
  return e4m3s(_mm_maskz_loadu_epi8(first_lanes(n), p));
}
