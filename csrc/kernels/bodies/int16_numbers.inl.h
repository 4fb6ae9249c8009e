// How W's numbers become bytes, by format: AVX-512 VBMI. A load of kBytes unpacks to kVectors
// vectors of 64 bytes.

/// Two and four bits: the fields of 16 packed words, one vector a field.
template <int kFieldBits, bool kFloats>
struct WordFields {
  static constexpr int kBits = kFieldBits;
  static constexpr int kVectors = 8 / kBits;
  static constexpr int kBytes = 64;
  /// At most `bytes` of a row of W: words that hold the numbers of kVectors vectors.
  CONVERGIO_METHOD static __m512i read(const std::uint8_t* p, std::int64_t bytes) {
    return bytes >= kBytes ? load_words(p) : load_words(p, static_cast<int>(bytes / 4));
  }
  CONVERGIO_METHOD static void unpack(__m512i words, __m512i* out) {
    for (int j = 0; j < kVectors; ++j) {
      const __m512i moved =
          j == 0 ? words : _mm512_srli_epi32(words, static_cast<unsigned>(kBits * j));
      out[j] = _mm512_and_si512(moved, _mm512_set1_epi8((1 << kBits) - 1));
      if constexpr (kFloats) {
        out[j] = _mm512_shuffle_epi8(e2m1_bytes(), out[j]);
      }
    }
  }
};

struct Bytes {
  static constexpr int kBits = 8;
  static constexpr int kVectors = 1;
  static constexpr int kBytes = 64;
  CONVERGIO_METHOD static __m512i read(const std::uint8_t* p, std::int64_t bytes) {
    return bytes >= kBytes ? load_words(p) : load_words(p, static_cast<int>(bytes / 4));
  }
  CONVERGIO_METHOD static void unpack(__m512i words, __m512i* out) { out[0] = words; }
};

/// Where eight numbers of kBits bits lie: byte 8i + j of the first table finds the bytes of the
/// i-th eight, and of the second how many bits down number j of them begins.
template <int kBits>
struct EightTable {
  std::uint8_t bytes[64] = {};
  std::uint8_t shifts[64] = {};
  constexpr EightTable() {
    for (int i = 0; i < 64; ++i) {
      bytes[i] = static_cast<std::uint8_t>(i / 8 * kBits + i % 8);
      shifts[i] = static_cast<std::uint8_t>(i % 8 * kBits);
    }
  }
};

/// Three, five and six bits, into their own order.
template <int kNumberBits>
struct Stream {
  static constexpr int kBits = kNumberBits;
  static constexpr int kVectors = 1;
  static constexpr int kBytes = 8 * kBits;
  CONVERGIO_METHOD static __m512i read(const std::uint8_t* p, std::int64_t bytes) {
    static constexpr EightTable<kBits> kTable;
    const std::int64_t here = bytes < kBytes ? bytes : kBytes;
    const __m512i packed = _mm512_maskz_loadu_epi8(here >= 64 ? ~0ULL : (1ULL << here) - 1ULL, p);
    const __m512i eights = _mm512_permutexvar_epi8(_mm512_loadu_si512(kTable.bytes), packed);
    const __m512i moved = _mm512_multishift_epi64_epi8(_mm512_loadu_si512(kTable.shifts), eights);
    return _mm512_and_si512(moved, _mm512_set1_epi8((1 << kBits) - 1));
  }
  CONVERGIO_METHOD static void unpack(__m512i numbers, __m512i* out) { out[0] = numbers; }
};

/// Calls f.operator()<Number>() for the format of `w`.
template <class F>
CONVERGIO_INLINE void with_int16_number(const Weights& w, const F& f) {
  if (w.format != Format::Affine) {
    return f.template operator()<WordFields<4, true>>();
  }
  switch (w.bits) {
    case 2:
      return f.template operator()<WordFields<2, false>>();
    case 3:
      return f.template operator()<Stream<3>>();
    case 4:
      return f.template operator()<WordFields<4, false>>();
    case 5:
      return f.template operator()<Stream<5>>();
    case 6:
      return f.template operator()<Stream<6>>();
    default:
      return f.template operator()<Bytes>();
  }
}
