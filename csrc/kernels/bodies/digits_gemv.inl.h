// y = x · Wᵀ for a few rows of x, in digits: AVX-512 VNNI and VBMI. Half the work of turning W's
// numbers into floats, which leaves the memory as the limit.
//
// A block is what a few loads of W unpack to: kVectors vectors of 64 bytes, of which lane l holds
// items of one stretch of x. x is laid out to match: for each block the high digits, then the low.

/// Two and four bits: the fields of 16 packed words, one vector a field.
template <int kFieldBits, bool kFloats>
struct WordFields {
  static constexpr int kBits = kFieldBits;
  static constexpr int kVectors = 8 / kBits;
  static constexpr int kBytes = 64;
  CONVERGIO_METHOD static void unpack(const std::uint8_t* p, int bytes, __m512i* out) {
    const __m512i words = bytes >= kBytes ? load_words(p) : load_words(p, bytes / 4);
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
  CONVERGIO_METHOD static void unpack(const std::uint8_t* p, int bytes, __m512i* out) {
    out[0] = bytes >= kBytes ? load_words(p) : load_words(p, bytes / 4);
  }
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
  CONVERGIO_METHOD static void unpack(const std::uint8_t* p, int bytes, __m512i* out) {
    static constexpr EightTable<kBits> kTable;
    const int here = bytes < kBytes ? bytes : kBytes;
    const __m512i packed = _mm512_maskz_loadu_epi8(here >= 64 ? ~0ULL : (1ULL << here) - 1ULL, p);
    const __m512i eights = _mm512_permutexvar_epi8(_mm512_loadu_si512(kTable.bytes), packed);
    const __m512i moved = _mm512_multishift_epi64_epi8(_mm512_loadu_si512(kTable.shifts), eights);
    out[0] = _mm512_and_si512(moved, _mm512_set1_epi8((1 << kBits) - 1));
  }
};

constexpr std::int64_t up_to(std::int64_t n, std::int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

/// Vectors of unpacked bytes in a block, from the width of a number alone.
constexpr std::int64_t block_vectors(int bits) { return bits == 2 ? 4 : bits == 4 ? 2 : 1; }

/// The bytes of the two digits of a row of x.
CONVERGIO_INLINE std::int64_t digit_bytes(const Weights& w) {
  return 2 * up_to(w.cols, 64 * block_vectors(w.bits));
}

/// Floats of an arranged row: its digits, then a scale and a sum for each group.
static std::int64_t digits_floats(const Weights& w) {
  return up_to(digit_bytes(w) / 4 + 2 * up_to(w.cols / w.group, kGroupsAtOnce), 16);
}

/// Every second byte of two vectors in a row.
CONVERGIO_INLINE __m512i every_second(__m512i a, __m512i b, int first) {
  static constexpr auto kIndex = [] {
    struct {
      std::uint8_t at[64];
    } index = {};
    for (int i = 0; i < 64; ++i) {
      index.at[i] = static_cast<std::uint8_t>(2 * i);
    }
    return index;
  }();
  const __m512i index =
      _mm512_add_epi8(_mm512_loadu_si512(kIndex.at), _mm512_set1_epi8(static_cast<char>(first)));
  return _mm512_permutex2var_epi8(a, index, b);
}

/// Bytes in the order of x to the order of a block of `vectors`.
CONVERGIO_INLINE void deal(const std::int8_t* in, std::int64_t vectors, std::int8_t* out) {
  __m512i v[4];
  for (int i = 0; i < vectors; ++i) {
    v[i] = _mm512_loadu_si512(in + 64 * i);
  }
  if (vectors == 2) {
    _mm512_storeu_si512(out, every_second(v[0], v[1], 0));
    _mm512_storeu_si512(out + 64, every_second(v[0], v[1], 1));
  } else if (vectors == 4) {
    for (int i = 0; i < 2; ++i) {
      const __m512i a = every_second(v[0], v[1], i);
      const __m512i b = every_second(v[2], v[3], i);
      _mm512_storeu_si512(out + 64 * i, every_second(a, b, 0));
      _mm512_storeu_si512(out + 64 * (i + 2), every_second(a, b, 1));
    }
  } else {
    _mm512_storeu_si512(out, v[0]);
  }
}

static void digits(const Weights& w, const float* x, float* out) {
  constexpr std::int64_t kStretch = 256;  // a multiple of every block and every group
  const std::int64_t vectors = block_vectors(w.bits);
  const std::int64_t groups = w.cols / w.group;
  auto* bytes = reinterpret_cast<std::int8_t*>(out);
  float* scales = out + digit_bytes(w) / 4;
  float* sums = scales + up_to(groups, kGroupsAtOnce);
  std::int64_t g = 0;
  for (std::int64_t from = 0; from < w.cols; from += kStretch) {
    const std::int64_t count = w.cols - from < kStretch ? w.cols - from : kStretch;
    std::int8_t high[kStretch] = {};
    std::int8_t low[kStretch] = {};
    for (std::int64_t k = 0; k < count; k += w.group) {
      round_group(x + from + k, w.group, high + k, low + k, scales + g, sums + g);
      ++g;
    }
    for (std::int64_t k = 0; k < count; k += 64 * vectors) {
      deal(high + k, vectors, bytes);
      deal(low + k, vectors, bytes + 64 * vectors);
      bytes += 128 * vectors;
    }
  }
  for (; g < up_to(groups, kGroupsAtOnce); ++g) {
    scales[g] = 0.0F;
    sums[g] = 0.0F;
  }
}

/// kGroupLanes: the lanes of a block that one group takes.
template <class Number, int kGroupLanes, int kRows>
CONVERGIO_INLINE void add_block(const std::uint8_t* p, int bytes, const Groups* scales, int first,
                                const std::int8_t* x, std::int64_t x_bytes, V* total) {
  constexpr int kVectors = Number::kVectors;
  __m512i q[kVectors];
  Number::unpack(p, bytes, q);
  for (int i = 0; i < kRows; ++i) {
    const std::int8_t* xi = x + i * x_bytes;
    __m512i high = _mm512_setzero_si512();
    __m512i low = _mm512_setzero_si512();
    for (int j = 0; j < kVectors; ++j) {
      high = _mm512_dpbusd_epi32(high, q[j], _mm512_loadu_si512(xi + 64 * j));
      low = _mm512_dpbusd_epi32(low, q[j], _mm512_loadu_si512(xi + 64 * (kVectors + j)));
    }
    const __m512i dot = _mm512_add_epi32(_mm512_slli_epi32(high, 8), low);
    total[i] = fma(_mm512_cvtepi32_ps(dot), repeat<kGroupLanes>(scales[i], first), total[i]);
  }
}

template <class Number, int kGroupLanes, int kRows>
CONVERGIO_INLINE void digits_row_dot(const Weights& w, const std::uint8_t* p, std::int64_t row,
                                     const float* x, std::int64_t x_stride, float* y,
                                     std::int64_t y_stride) {
  constexpr int kXBytes = 128 * Number::kVectors;                // of a block
  constexpr int kBlocks = kGroupsAtOnce * kGroupLanes / kLanes;  // for so many groups
  static_assert(kGroupsAtOnce * kGroupLanes % kLanes == 0);
  const bool floats = w.format != Format::Affine;
  const std::int64_t groups = w.cols / w.group;
  const float* x_scales = x + digit_bytes(w) / 4;
  const float* x_sums = x_scales + up_to(groups, kGroupsAtOnce);
  const auto* digit = reinterpret_cast<const std::int8_t*>(x);
  Groups scales[kRows];
  V total[kRows];
  for (int i = 0; i < kRows; ++i) {
    total[i] = splat(0.0F);
  }
  int left = static_cast<int>(row_bytes(w));
  for (std::int64_t g = 0; g < groups; g += kGroupsAtOnce) {
    const int count = static_cast<int>(groups - g < kGroupsAtOnce ? groups - g : kGroupsAtOnce);
    const V own = scales_of(w, row * groups + g, count);
    // 4-bit floats are bytes 2 · value + 12
    const V scale = floats ? own * splat(0.5F) : own;
    const V bias = floats ? own * splat(-6.0F) : biases_of(w, row * groups + g, count);
    for (int i = 0; i < kRows; ++i) {
      scales[i].at = scale * load(x_scales + i * x_stride + g);
      total[i] = fma(bias, load(x_sums + i * x_stride + g), total[i]);
    }
    if (count == kGroupsAtOnce) {
      for (int b = 0; b < kBlocks; ++b) {
        ask(p + b * Number::kBytes);
        add_block<Number, kGroupLanes, kRows>(p + b * Number::kBytes, Number::kBytes, scales,
                                              b * kLanes / kGroupLanes, digit + b * kXBytes,
                                              4 * x_stride, total);
      }
      p += kBlocks * Number::kBytes;
      digit += kBlocks * kXBytes;
      left -= kBlocks * Number::kBytes;
    } else {
      for (int b = 0; left > 0; ++b) {
        add_block<Number, kGroupLanes, kRows>(p, left, scales, b * kLanes / kGroupLanes, digit,
                                              4 * x_stride, total);
        p += Number::kBytes;
        digit += kXBytes;
        left -= Number::kBytes;
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    y[i * y_stride] = sum(total[i]);
  }
}

template <class Number, int kGroupLanes, int kRows>
CONVERGIO_INLINE void digits_rows(const Weights& w, const LinearPiece& piece, std::int64_t first) {
  const std::int64_t bytes = row_bytes(w);
  const float* x = piece.x + first * piece.x_stride;
  float* y = piece.y + first * piece.y_stride;
  for (std::int64_t row = piece.begin; row < piece.end; ++row) {
    ask_for_groups(w, row);
    digits_row_dot<Number, kGroupLanes, kRows>(w, w.data + row * bytes, row, x, piece.x_stride,
                                               y + (row - piece.begin), piece.y_stride);
  }
}

template <class Number, int kGroup>
static void digits_gemv_of(const Weights& w, const LinearPiece& piece) {
  constexpr int kGroupLanes = kGroup / (4 * Number::kVectors);
  std::int64_t i = 0;
  for (; i + 4 <= piece.n; i += 4) {
    digits_rows<Number, kGroupLanes, 4>(w, piece, i);
  }
  for (; i + 2 <= piece.n; i += 2) {
    digits_rows<Number, kGroupLanes, 2>(w, piece, i);
  }
  if (i < piece.n) {
    digits_rows<Number, kGroupLanes, 1>(w, piece, i);
  }
}

template <class Number>
CONVERGIO_INLINE void digits_gemv_of_group(const Weights& w, const LinearPiece& piece) {
  if (w.group == 32) {
    digits_gemv_of<Number, 32>(w, piece);
  } else if (w.group == 64) {
    digits_gemv_of<Number, 64>(w, piece);
  } else {
    digits_gemv_of<Number, 128>(w, piece);
  }
}

/// piece.x is arranged by `digits`.
static void digits_gemv(const Weights& w, const LinearPiece& piece) {
  if (w.format == Format::Mxfp4) {
    return digits_gemv_of<WordFields<4, true>, 32>(w, piece);
  }
  if (w.format == Format::Nvfp4) {
    return digits_gemv_of<WordFields<4, true>, 16>(w, piece);
  }
  switch (w.bits) {
    case 2:
      return digits_gemv_of_group<WordFields<2, false>>(w, piece);
    case 3:
      return digits_gemv_of_group<Stream<3>>(w, piece);
    case 4:
      return digits_gemv_of_group<WordFields<4, false>>(w, piece);
    case 5:
      return digits_gemv_of_group<Stream<5>>(w, piece);
    case 6:
      return digits_gemv_of_group<Stream<6>>(w, piece);
    default:
      return digits_gemv_of_group<Bytes>(w, piece);
  }
}
