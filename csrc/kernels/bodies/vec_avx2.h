// Eight floats at a time: AVX2, FMA and F16C. The names are those of vec_scalar.h.

#include "kernels/bodies/gather.inl.h"

using V = __m256;
constexpr int kLanes = 8;
constexpr int kOverread = 16;

CONVERGIO_INLINE __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

CONVERGIO_INLINE V splat(float x) { return _mm256_set1_ps(x); }
CONVERGIO_INLINE V load(const float* p) { return _mm256_loadu_ps(p); }
CONVERGIO_INLINE V load(const float* p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
CONVERGIO_INLINE void store(float* p, V v) { _mm256_storeu_ps(p, v); }
CONVERGIO_INLINE void store(float* p, V v, int n) { _mm256_maskstore_ps(p, first_lanes(n), v); }
/// The same, kept in a register: where it is used several times GCC may read it from memory each
/// time.
CONVERGIO_INLINE V in_register(V v) {
  __asm__("" : "+x"(v));
  return v;
}
CONVERGIO_INLINE V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
CONVERGIO_INLINE V vmax(V a, V b) { return _mm256_max_ps(a, b); }
CONVERGIO_INLINE V vmin(V a, V b) { return _mm256_min_ps(a, b); }
CONVERGIO_INLINE V vabs(V a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), a); }
CONVERGIO_INLINE V copysign(V magnitude, V sign) {
  return _mm256_or_ps(magnitude, _mm256_and_ps(_mm256_set1_ps(-0.0F), sign));
}
CONVERGIO_INLINE float sum(V v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
CONVERGIO_INLINE float largest(V v) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
CONVERGIO_INLINE V where_below(V x, V limit, V then, V otherwise) {
  return _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps(x, limit, _CMP_LT_OQ));
}
CONVERGIO_INLINE void transpose(V* r) {
  V t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
  for (int i = 0; i < 8; ++i) {
    r[i] = t[i];
  }
}
constexpr int sum_order(int i) { return i; }
CONVERGIO_INLINE V sums_of(const V* v) {
  // four rows each: of the low halves, then of the high ones
  const V a = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
  const V b = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
  return _mm256_permute2f128_ps(a, b, 0x20) + _mm256_permute2f128_ps(a, b, 0x31);
}
CONVERGIO_INLINE V round_even(V v) {
  return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
CONVERGIO_INLINE V exp2i(V n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}

CONVERGIO_INLINE __m128i load16(const std::uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p));
}
/// The first n halves; the others are zero.
CONVERGIO_INLINE __m128i load_halves(const std::uint8_t* p, int n) {
  if (n >= 8) {
    return load16(p);
  }
  std::uint16_t halves[8] = {};
  for (int i = 0; i < n; ++i) {
    __builtin_memcpy(halves + i, p + 2 * i, 2);
  }
  return load16(reinterpret_cast<const std::uint8_t*>(halves));
}
CONVERGIO_INLINE void store_halves(std::uint8_t* p, __m128i halves, int n) {
  if (n >= 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i_u*>(p), halves);
    return;
  }
  std::uint16_t items[8];
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(items), halves);
  for (int i = 0; i < n; ++i) {
    __builtin_memcpy(p + 2 * i, items + i, 2);
  }
}

CONVERGIO_INLINE V bfloats(__m128i halves) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
CONVERGIO_INLINE V load_f16(const std::uint8_t* p) { return _mm256_cvtph_ps(load16(p)); }
CONVERGIO_INLINE V load_f16(const std::uint8_t* p, int n) {
  return _mm256_cvtph_ps(load_halves(p, n));
}
CONVERGIO_INLINE V load_bf16(const std::uint8_t* p) { return bfloats(load16(p)); }
CONVERGIO_INLINE V load_bf16(const std::uint8_t* p, int n) { return bfloats(load_halves(p, n)); }
CONVERGIO_INLINE void store_f16(std::uint8_t* p, V v, int n) {
  store_halves(p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT), n);
}
CONVERGIO_INLINE void store_bf16(std::uint8_t* p, V v, int n) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i up = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(up, quiet, nan), 16);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(high, high), 0x08);
  store_halves(p, _mm256_castsi256_si128(packed), n);
}

template <int kBits, int kFirst>
CONVERGIO_INLINE V unpack8(__m256i twice) {
  // `twice` holds the same 16 bytes in both halves; the shuffle works within halves
  static constexpr Gather<kBits, kFirst, 8> kGather;
  const __m256i bytes = _mm256_shuffle_epi8(
      twice, _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(kGather.at)));
  const __m256i moved = _mm256_srlv_epi32(
      bytes, _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(kGather.shift)));
  return _mm256_cvtepi32_ps(_mm256_and_si256(moved, _mm256_set1_epi32((1 << kBits) - 1)));
}

template <int kBits>
CONVERGIO_INLINE void unpack(const std::uint8_t* p, V* out) {
  if constexpr (kBits == 8) {
    for (int i = 0; i < 4; ++i) {
      out[i] = _mm256_cvtepi32_ps(
          _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p + 8 * i))));
    }
  } else if constexpr (kBits == 4) {
    const __m256i shift = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    for (int i = 0; i < 4; ++i) {
      std::int32_t word;
      __builtin_memcpy(&word, p + 4 * i, sizeof(word));
      const __m256i moved = _mm256_srlv_epi32(_mm256_set1_epi32(word), shift);
      out[i] = _mm256_cvtepi32_ps(_mm256_and_si256(moved, _mm256_set1_epi32(15)));
    }
  } else {
    for (int i = 0; i < 2; ++i) {  // 16 numbers are 2 · kBits bytes
      const __m256i twice = _mm256_broadcastsi128_si256(load16(p + 2 * kBits * i));
      out[2 * i] = unpack8<kBits, 0>(twice);
      out[2 * i + 1] = unpack8<kBits, 8>(twice);
    }
  }
}

CONVERGIO_INLINE void unpack16_e2m1(const std::uint8_t* p, V* out) {
  const __m256 magnitudes = _mm256_setr_ps(0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F);
  const __m256i shift = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
  for (int i = 0; i < 2; ++i) {
    std::int32_t word;
    __builtin_memcpy(&word, p + 4 * i, sizeof(word));
    const __m256i codes = _mm256_srlv_epi32(_mm256_set1_epi32(word), shift);
    const __m256i sign = _mm256_slli_epi32(_mm256_and_si256(codes, _mm256_set1_epi32(8)), 28);
    // the permutation looks at the lowest three bits only
    out[i] = _mm256_or_ps(_mm256_permutevar8x32_ps(magnitudes, codes), _mm256_castsi256_ps(sign));
  }
}

/// Eight bytes: the same fields as a half's, 8 powers of two lower.
CONVERGIO_INLINE V e4m3s(__m128i eight) {
  const __m128i bytes = _mm_cvtepu8_epi16(eight);
  const __m128i sign = _mm_slli_epi16(_mm_and_si128(bytes, _mm_set1_epi16(0x80)), 8);
  const __m128i rest = _mm_slli_epi16(_mm_and_si128(bytes, _mm_set1_epi16(0x7f)), 7);
  return _mm256_cvtph_ps(_mm_or_si128(sign, rest)) * splat(256.0F);
}
CONVERGIO_INLINE void unpack_e4m3(const std::uint8_t* p, V* out) {
  for (int i = 0; i < 4; ++i) {
    out[i] = e4m3s(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p + 8 * i)));
  }
}

using Words = __m256i;

CONVERGIO_INLINE Words load_words(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p));
}
CONVERGIO_INLINE Words load_words(const std::uint8_t* p, int n) {
  return _mm256_maskload_epi32(reinterpret_cast<const int*>(p), first_lanes(n));
}

/// A mask leaves a field up to 16 bits up; the upper half of a word is moved down first.
template <int kBits, int kField>
CONVERGIO_INLINE V field_of(Words v) {
  constexpr int kInHalf = kBits * kField % 16;
  const __m256i half = kBits * kField < 16 ? v : _mm256_srli_epi32(v, 16);
  return _mm256_cvtepi32_ps(
      _mm256_and_si256(half, _mm256_set1_epi32(((1 << kBits) - 1) << kInHalf)));
}
constexpr float field_factor(int bits, int field) {
  return 1.0F / static_cast<float>(1 << bits * field % 16);
}

template <int kField>
CONVERGIO_INLINE V e2m1_field(Words v) {
  const __m256 magnitudes = _mm256_setr_ps(0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F);
  const __m256i sign = _mm256_and_si256(_mm256_slli_epi32(v, 28 - 4 * kField),
                                        _mm256_set1_epi32(static_cast<int>(0x80000000U)));
  // the permutation looks at the lowest three bits only
  return _mm256_xor_ps(_mm256_permutevar8x32_ps(magnitudes, _mm256_srli_epi32(v, 4 * kField)),
                       _mm256_castsi256_ps(sign));
}

template <int kTimes>
CONVERGIO_INLINE V repeat_from(const float* p) {
  if constexpr (kTimes >= 8) {
    return _mm256_set1_ps(*p);
  } else if constexpr (kTimes == 4) {
    const __m256 four = _mm256_castps128_ps256(_mm_loadu_ps(p));
    return _mm256_permutevar8x32_ps(four, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));
  } else {
    const __m256 four = _mm256_castps128_ps256(_mm_loadu_ps(p));
    return _mm256_permutevar8x32_ps(four, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
  }
}

/// The first n bytes; the others are zero.
CONVERGIO_INLINE __m128i load_bytes(const std::uint8_t* p, int n) {
  std::uint64_t bytes = 0;
  __builtin_memcpy(&bytes, p, n >= 8 ? 8 : n > 0 ? static_cast<std::size_t>(n) : 0);
  return _mm_cvtsi64_si128(static_cast<long long>(bytes));
}
CONVERGIO_INLINE V load_e8m0(const std::uint8_t* p, int n) {
  const __m256i bits = _mm256_slli_epi32(_mm256_cvtepu8_epi32(load_bytes(p, n)), 23);
  const __m256i value = _mm256_max_epi32(bits, _mm256_set1_epi32(0x400000));
  return _mm256_castsi256_ps(_mm256_and_si256(value, first_lanes(n)));
}
CONVERGIO_INLINE V load_e4m3(const std::uint8_t* p, int n) { return e4m3s(load_bytes(p, n)); }

#include "kernels/bodies/repeat.inl.h"
