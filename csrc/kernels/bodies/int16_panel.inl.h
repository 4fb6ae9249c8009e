// What the products of many rows of x in 16 bits read: AVX-512 VNNI and VBMI, and AMX.
//
// Sixteen outputs are sixteen lanes: a panel holds, for each four inputs, a word of four unsigned
// numbers for each output. It is kInt16Cols inputs deep, so that it stays in the first-level cache
// for all rows of x; x is laid out by such blocks, one after another, and in each of them a group's
// high bytes, then its low ones.

constexpr int kLanesOut = 16;
constexpr int kVectorsOut = 2;
constexpr std::int64_t kOutputs = kLanesOut * kVectorsOut;
static_assert(kOutputs == kInt16Outputs);

/// Where the block of inputs from `from` on begins among x's inputs or, with the group size as
/// `unit`, among its scales and sums.
CONVERGIO_INLINE std::int64_t block_at(const Int16Rows& x, std::int64_t from, std::int64_t unit) {
  return x.n * (from / unit);
}

/// The inputs of the block that begins at `from`.
CONVERGIO_INLINE std::int64_t block_cols(const Weights& w, std::int64_t from) {
  return w.cols - from < kInt16Cols ? w.cols - from : kInt16Cols;
}

/// A block of W: for each vector of 16 outputs, the words of four
/// numbers, and the scale and the bias of each group.
struct alignas(64) Panel {
  std::uint8_t words[kVectorsOut][kLanesOut * kInt16Cols];
  float scales[kVectorsOut][kLanesOut * kInt16Cols / 16];
  float biases[kVectorsOut][kLanesOut * kInt16Cols / 16];
};
static_assert(sizeof(Panel) <= kInt16Work);

/// Memory that is wanted next, prefetched a few lines at each step of the work before it. All at
/// once it would fill the queue of requests, and the work would wait behind it.
class Ahead {
 public:
  /// Over so many steps.
  CONVERGIO_METHOD explicit Ahead(std::int64_t steps) : steps_(steps) {}
  /// Adds `bytes` bytes of each of `rows` rows that lie `stride` apart.
  CONVERGIO_METHOD void add(const std::uint8_t* at, std::int64_t bytes, std::int64_t rows,
                            std::int64_t stride) {
    const std::int64_t lines = rows * (bytes / kLine + 1);
    part_[parts_++] = {at, 0, bytes, rows, stride, (lines + steps_ - 1) / steps_};
  }
  CONVERGIO_METHOD void step() {
    for (int i = 0; i < parts_; ++i) {
      Part part = part_[i];
      for (std::int64_t line = 0; line < part.each && part.rows > 0; ++line) {
        __builtin_prefetch(part.row + part.at, 0, 2);
        part.at += kLine;
        if (part.at >= part.bytes) {
          part.at = 0;
          part.row += part.stride;
          --part.rows;
        }
      }
      part_[i] = part;
    }
  }

 private:
  static constexpr std::int64_t kLine = 64;
  struct Part {
    const std::uint8_t* row;
    std::int64_t at;
    std::int64_t bytes;
    std::int64_t rows;  ///< that are left
    std::int64_t stride;
    std::int64_t each;  ///< lines a step
  };
  Part part_[3];
  int parts_ = 0;
  std::int64_t steps_;
};

/// Up to `bytes` of each of 16 rows of W, from byte `at` on: for each four inputs a vector of their
/// words.
template <class Number>
CONVERGIO_INLINE std::uint8_t* fill_words(const std::uint8_t* const* rows, std::int64_t at,
                                          std::int64_t bytes, std::uint8_t* out) {
  V r[kLanesOut];
  for (int i = 0; i < kLanesOut; ++i) {
    r[i] = _mm512_castsi512_ps(Number::read(rows[i] + at, bytes));
  }
  transpose(r);
  const auto words = static_cast<int>(bytes * kLanesOut / Number::kBytes);
  for (int i = 0; i < words; ++i) {
    __m512i numbers[Number::kVectors];
    Number::unpack(_mm512_castps_si512(r[i]), numbers);
    for (int j = 0; j < Number::kVectors; ++j) {
      _mm512_store_si512(out, numbers[j]);
      out += 64;
    }
  }
  return out;
}

/// Up to 8 numbers of two bytes at `first[i] + g` of each of 16 rows, from rows to lanes: of number
/// j those of all rows to half j % 2 of out[j / 2].
CONVERGIO_INLINE void transpose_halves(const std::uint8_t* p, const std::int64_t* first,
                                       std::int64_t g, int count, __m512i* out) {
  const auto lanes = static_cast<__mmask8>(first_lanes(count));
  __m512i r[4];  // of rows 4i … 4i + 3
  for (int i = 0; i < 4; ++i) {
    __m128i row[4];
    for (int k = 0; k < 4; ++k) {
      row[k] = _mm_maskz_loadu_epi16(lanes, p + 2 * (first[4 * i + k] + g));
    }
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(row[0]), row[1], 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(row[2]), row[3], 1);
    r[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
  // 16 bits 8 · number + row, of four numbers of eight rows
  static constexpr auto kIndex = [] {
    struct {
      std::uint16_t at[32];
    } index = {};
    for (int number = 0; number < 4; ++number) {
      for (int row = 0; row < 8; ++row) {
        index.at[8 * number + row] =
            static_cast<std::uint16_t>(row / 4 * 32 + row % 4 * 8 + number);
      }
    }
    return index;
  }();
  const __m512i first_four = _mm512_loadu_si512(kIndex.at);
  const __m512i last_four = _mm512_add_epi16(first_four, _mm512_set1_epi16(4));
  for (int half = 0; half < 2; ++half) {
    const __m512i numbers = half == 0 ? first_four : last_four;
    const __m512i a = _mm512_permutex2var_epi16(r[0], numbers, r[1]);  // of rows 0 … 7
    const __m512i b = _mm512_permutex2var_epi16(r[2], numbers, r[3]);  // of rows 8 … 15
    out[2 * half] = _mm512_permutex2var_epi64(a, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), b);
    out[2 * half + 1] =
        _mm512_permutex2var_epi64(a, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), b);
  }
}

/// Numbers of two bytes, the scales or the biases of `groups` groups of 16 rows, of each the first
/// one's number `first`, as floats: a vector of 16 rows for each group.
CONVERGIO_INLINE void fill_halves(Type type, const std::uint8_t* p, const std::int64_t* first,
                                  std::int64_t groups, float* out) {
  constexpr int kAtOnce = 8;
  for (std::int64_t g = 0; g < groups; g += kAtOnce) {
    const int count = static_cast<int>(groups - g < kAtOnce ? groups - g : kAtOnce);
    __m512i numbers[kAtOnce / 2];
    transpose_halves(p, first, g, count, numbers);
    for (int j = 0; j < kAtOnce; ++j) {  // a panel has room for all eight
      const __m256i half = j % 2 == 0 ? _mm512_castsi512_si256(numbers[j / 2])
                                      : _mm512_extracti64x4_epi64(numbers[j / 2], 1);
      _mm512_store_ps(out + (g + j) * kLanesOut,
                      type == Type::F16 ? _mm512_cvtph_ps(half) : bfloats(half));
    }
  }
}

/// The scales and biases of `groups` groups of 16 rows, of each the first one's number `first`.
CONVERGIO_INLINE void fill_groups(const Weights& w, const std::int64_t* first, std::int64_t groups,
                                  float* scales, float* biases) {
  const bool floats = w.format != Format::Affine;
  if (!floats && w.type != Type::F32) {
    fill_halves(w.type, w.scales, first, groups, scales);
    return fill_halves(w.type, w.biases, first, groups, biases);
  }
  for (std::int64_t g = 0; g < groups; g += kLanesOut) {
    const int count = static_cast<int>(groups - g < kLanesOut ? groups - g : kLanesOut);
    V s[kLanesOut];
    V b[kLanesOut];
    for (int i = 0; i < kLanesOut; ++i) {
      s[i] = scales_of(w, first[i] + g, count);
      b[i] = floats ? splat(0.0F) : biases_of(w, first[i] + g, count);
    }
    transpose(s);
    if (!floats) {
      transpose(b);
    }
    for (int j = 0; j < count; ++j) {
      // 4-bit floats are bytes 2 · value + 12
      _mm512_store_ps(scales + (g + j) * kLanesOut, floats ? s[j] * splat(0.5F) : s[j]);
      _mm512_store_ps(biases + (g + j) * kLanesOut, floats ? s[j] * splat(-6.0F) : b[j]);
    }
  }
}

/// Steps of `ahead` while both vectors of panels of `cols` inputs are filled.
template <class Number>
CONVERGIO_INLINE std::int64_t fill_steps(std::int64_t cols) {
  return kVectorsOut * (cols * Number::kBits / 8 / Number::kBytes);
}

/// Vector `v` of a panel: the 16 outputs from `row` on (those past `end` repeat the last), inputs
/// [from, from + cols).
template <class Number>
static void fill_panel(const Weights& w, std::int64_t row, std::int64_t end, std::int64_t from,
                       std::int64_t cols, int v, Panel& panel, Ahead* ahead) {
  const std::int64_t row_groups = w.cols / w.group;
  const std::uint8_t* rows[kLanesOut];
  std::int64_t groups[kLanesOut];
  for (int i = 0; i < kLanesOut; ++i) {
    const std::int64_t r = row + i < end ? row + i : end - 1;
    rows[i] = w.data + r * row_bytes(w) + from * Number::kBits / 8;
    groups[i] = r * row_groups + from / w.group;
  }
  const std::int64_t bytes = cols * Number::kBits / 8;
  std::uint8_t* out = panel.words[v];
  std::int64_t at = 0;
  for (; at + Number::kBytes <= bytes; at += Number::kBytes) {
    if (ahead != nullptr) {
      ahead->step();
    }
    out = fill_words<Number>(rows, at, Number::kBytes, out);
  }
  if (at < bytes) {
    fill_words<Number>(rows, at, bytes - at, out);
  }
  fill_groups(w, groups, cols / w.group, panel.scales[v], panel.biases[v]);
}
