// y = x · Wᵀ for many rows of x in 16 bits: AVX-512 VNNI and VBMI.
//
// Sixteen outputs are sixteen lanes: a panel holds, for each four inputs, a word of four unsigned
// numbers for each output, so that one instruction adds 64 products into 16 32-bit sums. A panel is
// kInt16Cols inputs deep, so that it stays in the first-level cache for all rows of x; x is laid
// out by such blocks, one after another.

constexpr int kLanesOut = 16;
constexpr int kVectorsOut = 2;
constexpr std::int64_t kOutputs = kLanesOut * kVectorsOut;
static_assert(kOutputs == kInt16Outputs);
constexpr int kTileRows = 6;              // of x, whose sums the registers hold
constexpr std::int64_t kCachedRows = 32;  // of x, all of which the second-level cache holds

/// Where each of sixteen inputs stands: packed words are taken apart by masks, four bytes at a
/// time, not into their order.
CONVERGIO_INLINE __m128i order_of(int bits) {
  return bits == 4   ? _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15)
         : bits == 2 ? _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
                     : _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

/// Where the block of inputs from `from` on begins among x's inputs or, with the group size as
/// `unit`, among its scales and sums.
CONVERGIO_INLINE std::int64_t block_at(const Int16Rows& x, std::int64_t from, std::int64_t unit) {
  return x.n * (from / unit);
}

/// The inputs of the block that begins at `from`.
CONVERGIO_INLINE std::int64_t block_cols(const Weights& w, std::int64_t from) {
  return w.cols - from < kInt16Cols ? w.cols - from : kInt16Cols;
}

CONVERGIO_INLINE __m128i load_16(const std::int8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p));
}
CONVERGIO_INLINE void store_16(std::int8_t* p, __m128i v) {
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(p), v);
}

static void quantize_block(const Weights& w, const float* x, std::int64_t cols, std::int8_t* out,
                           float* scales, float* sums) {
  const __m128i order = order_of(w.bits);
  for (std::int64_t g = 0; g < cols / w.group; ++g) {
    std::int8_t high[128];
    std::int8_t low[128];
    quantize_group(x, w.group, high, low, scales + g, sums + g);
    for (int k = 0; k < w.group; k += 16) {
      const __m128i h = _mm_shuffle_epi8(load_16(high + k), order);
      const __m128i l = _mm_shuffle_epi8(load_16(low + k), order);
      store_16(out + 2 * k, _mm_unpacklo_epi32(h, l));
      store_16(out + 2 * k + 16, _mm_unpackhi_epi32(h, l));
    }
    x += w.group;
    out += 2 * w.group;
  }
}

static void quantize_row(const Weights& w, const float* x, std::int64_t row, const Int16Rows& out) {
  for (std::int64_t from = 0; from < w.cols; from += kInt16Cols) {
    const std::int64_t cols = block_cols(w, from);
    const std::int64_t group = block_at(out, from, w.group) + row * (cols / w.group);
    quantize_block(w, x + from, cols, out.bytes + 2 * (block_at(out, from, 1) + row * cols),
                   out.scales + group, out.sums + group);
  }
}

/// What int16_tile reads of a block of W: for each vector of 16 outputs, the words of four
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

/// Vector `v` of a panel: the 16 outputs from `row` on (those past `end` repeat the last), inputs
/// [from, from + cols).
template <class Number>
static void fill_panel(const Weights& w, std::int64_t row, std::int64_t end, std::int64_t from,
                       std::int64_t cols, int v, Panel& panel) {
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
    out = fill_words<Number>(rows, at, Number::kBytes, out);
  }
  if (at < bytes) {
    fill_words<Number>(rows, at, bytes - at, out);
  }
  fill_groups(w, groups, cols / w.group, panel.scales[v], panel.biases[v]);
}

/// sums += 64 products, four a lane. Not the intrinsic: around that GCC 12 copies every sum to
/// another register and back, a seventh of the speed.
CONVERGIO_INLINE void add_products(__m512i& sums, __m512i numbers, __m512i signed_numbers) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(numbers), "v"(signed_numbers));
}

/// Four bytes in every lane.
CONVERGIO_INLINE __m512i four_bytes(const std::int8_t* p) {
  std::int32_t four;
  __builtin_memcpy(&four, p, sizeof(four));
  return _mm512_set1_epi32(four);
}

/// One group, kRows rows of x by kOutputs outputs: sums += products of the high and of the low
/// bytes at `q`, or, where kParts is 1, of those of either that `q` points to.
template <int kRows, int kParts>
CONVERGIO_INLINE void add_group(const std::uint8_t* words, const std::int8_t* q, std::int64_t cols,
                                int group, __m512i (&sums)[kParts][kRows][kVectorsOut]) {
  for (int from = 0; from < group; from += 16) {
    for (int k = from; k < from + 16; k += 4) {
      __m512i word[kVectorsOut];
      for (int v = 0; v < kVectorsOut; ++v) {
        word[v] = _mm512_load_si512(words + 16 * k + v * kLanesOut * kInt16Cols);
      }
      for (int i = 0; i < kRows; ++i) {
        for (int part = 0; part < kParts; ++part) {
          const __m512i four = four_bytes(q + 2 * (i * cols + k) + 4 * part);
          for (int v = 0; v < kVectorsOut; ++v) {
            add_products(sums[part][i][v], word[v], four);
          }
        }
      }
    }
  }
}

/// The same: 256 · high + low.
template <int kRows>
CONVERGIO_INLINE void group_products(const std::uint8_t* words, const std::int8_t* q,
                                     std::int64_t cols, int group,
                                     __m512i (&products)[kRows][kVectorsOut]) {
  // a sum waits for itself: with few rows, those of high and low bytes are made side by side
  constexpr int kParts = kRows < 6 ? 2 : 1;
  __m512i sums[kParts][kRows][kVectorsOut];
  for (auto& part : sums) {
    for (auto& row : part) {
      for (__m512i& sum : row) {
        sum = _mm512_setzero_si512();
      }
    }
  }
  add_group<kRows, kParts>(words, q, cols, group, sums);
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectorsOut; ++v) {
      sums[0][i][v] = _mm512_slli_epi32(sums[0][i][v], 8);
    }
  }
  if constexpr (kParts == 1) {
    add_group<kRows, kParts>(words, q + 4, cols, group, sums);
  }
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectorsOut; ++v) {
      products[i][v] =
          kParts == 1 ? sums[0][i][v] : _mm512_add_epi32(sums[0][i][v], sums[kParts - 1][i][v]);
    }
  }
}

/// kRows rows of x from `first` on by kOutputs outputs, over one block of inputs: y = or += them.
template <int kRows>
CONVERGIO_INLINE void int16_tile(const Weights& w, const Int16Rows& x, std::int64_t first,
                                 std::int64_t from, std::int64_t cols, const Panel& panel, float* y,
                                 std::int64_t y_stride, int outputs, Ahead& ahead) {
  const std::int64_t groups = cols / w.group;
  const std::int64_t group = block_at(x, from, w.group) + first * groups;
  const std::int8_t* q = x.bytes + 2 * (block_at(x, from, 1) + first * cols);
  const float* xs = x.scales + group;
  const float* xt = x.sums + group;
  V total[kRows][kVectorsOut];
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectorsOut; ++v) {
      total[i][v] =
          from == 0 ? splat(0.0F) : load(y + i * y_stride + v * kLanesOut, outputs - v * kLanesOut);
    }
  }
  const std::uint8_t* words = panel.words[0];
  for (std::int64_t g = 0; g < groups; ++g) {
    ahead.step();
    __m512i products[kRows][kVectorsOut];
    group_products<kRows>(words, q, cols, w.group, products);
    words += 16 * w.group;
    for (int v = 0; v < kVectorsOut; ++v) {
      const V scale = _mm512_load_ps(panel.scales[v] + g * kLanesOut);
      const V bias = _mm512_load_ps(panel.biases[v] + g * kLanesOut);
      for (int i = 0; i < kRows; ++i) {
        total[i][v] = total[i][v] + group_result(products[i][v], scale * splat(xs[i * groups + g]),
                                                 bias, splat(xt[i * groups + g]));
      }
    }
    q += 2 * w.group;
  }
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectorsOut; ++v) {
      store(y + i * y_stride + v * kLanesOut, total[i][v], outputs - v * kLanesOut);
    }
  }
}

/// All rows of x by one panel.
static void int16_tiles(const Weights& w, const Int16Rows& x, std::int64_t from, std::int64_t cols,
                        const Panel& panel, float* y, std::int64_t y_stride, int outputs,
                        Ahead& ahead) {
  for_row_tiles<kTileRows, 5, 4, 3, 2, 1>(x.n, [&]<int kRows>(std::int64_t i) CONVERGIO_LAMBDA {
    int16_tile<kRows>(w, x, i, from, cols, panel, y + i * y_stride, y_stride, outputs, ahead);
  });
}

/// Steps that all rows of x take with panels of `cols` inputs together.
CONVERGIO_INLINE std::int64_t panel_steps(const Weights& w, std::int64_t n, std::int64_t cols) {
  return (n + kTileRows - 1) / kTileRows * (cols / w.group);
}

/// A panel and all rows of x by it; meanwhile comes what `ahead` has.
template <class Number>
CONVERGIO_INLINE void int16_panel(const Weights& w, const Int16Rows& x, std::int64_t row,
                                  std::int64_t end, std::int64_t from, float* y,
                                  std::int64_t y_stride, Panel& panel, Ahead& ahead) {
  const std::int64_t cols = block_cols(w, from);
  for (int v = 0; v < kVectorsOut && row + v * kLanesOut < end; ++v) {
    fill_panel<Number>(w, row + v * kLanesOut, end, from, cols, v, panel);
  }
  const auto outputs = static_cast<int>(end - row < kOutputs ? end - row : kOutputs);
  int16_tiles(w, x, from, cols, panel, y, y_stride, outputs, ahead);
}

/// Adds inputs [from, from + cols) of up to kOutputs rows; with the first of them, the scales and
/// biases of all.
template <class Number>
CONVERGIO_INLINE void add_rows(Ahead& ahead, const RowsAfter& rows, std::int64_t from,
                               std::int64_t cols) {
  if (rows.weights == nullptr) {
    return;
  }
  const Weights& w = *rows.weights;
  const std::int64_t left = w.rows - rows.row;
  const std::int64_t count = left < kOutputs ? left : kOutputs;
  const std::int64_t bytes = cols * Number::kBits / 8;
  const std::uint8_t* const at = w.data + rows.row * row_bytes(w) + from * Number::kBits / 8;
  if (cols == w.cols) {
    ahead.add(at, count * bytes, 1, 0);
  } else {
    ahead.add(at, bytes, count, row_bytes(w));
  }
  if (from == 0) {
    const std::int64_t groups = w.cols / w.group * group_bytes(w);
    ahead.add(w.scales + rows.row * groups, count * groups, 1, 0);
    if (w.biases != nullptr) {
      ahead.add(w.biases + rows.row * groups, count * groups, 1, 0);
    }
  }
}

/// The outputs [begin, end) for all rows of x. Meanwhile the rows of W that follow are prefetched.
template <class Number>
static void int16_matmul_of(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                            std::int64_t begin, std::int64_t end, const RowsAfter& after,
                            Panel& panel) {
  if (x.n <= kCachedRows) {  // W as it lies in memory
    for (std::int64_t row = begin; row < end; row += kOutputs) {
      Ahead ahead(panel_steps(w, x.n, w.cols));
      add_rows<Number>(ahead, row + kOutputs < end ? RowsAfter{&w, row + kOutputs} : after, 0,
                       w.cols);
      for (std::int64_t from = 0; from < w.cols; from += kInt16Cols) {
        int16_panel<Number>(w, x, row, end, from, y + (row - begin), y_stride, panel, ahead);
      }
    }
    return;
  }
  for (std::int64_t from = 0; from < w.cols; from += kInt16Cols) {  // a block of x stays there
    for (std::int64_t row = begin; row < end; row += kOutputs) {
      Ahead ahead(panel_steps(w, x.n, block_cols(w, from)));
      const std::int64_t next = from + kInt16Cols;
      if (row + kOutputs < end) {
        add_rows<Number>(ahead, {&w, row + kOutputs}, from, block_cols(w, from));
      } else if (next < w.cols) {
        add_rows<Number>(ahead, {&w, begin}, next, block_cols(w, next));
      } else {
        add_rows<Number>(ahead, after, 0, block_cols(w, 0));
      }
      int16_panel<Number>(w, x, row, end, from, y + (row - begin), y_stride, panel, ahead);
    }
  }
}

static void int16_matmul(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                         std::int64_t begin, std::int64_t end, const RowsAfter& after, void* work) {
  with_int16_number(w, [&]<class Number>() CONVERGIO_LAMBDA {
    int16_matmul_of<Number>(w, x, y, y_stride, begin, end, after, *static_cast<Panel*>(work));
  });
}
