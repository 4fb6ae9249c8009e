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

/// Up to `bytes` of each of 16 rows of W, from byte `at` on: for each four inputs a vector of their
/// words. Prefetches what lies `ahead` bytes after them.
template <class Number>
CONVERGIO_INLINE std::uint8_t* fill_words(const std::uint8_t* const* rows, std::int64_t at,
                                          std::int64_t bytes, std::int64_t ahead,
                                          std::uint8_t* out) {
  V r[kLanesOut];
  for (int i = 0; i < kLanesOut; ++i) {
    r[i] = _mm512_castsi512_ps(Number::read(rows[i] + at, bytes));
    __builtin_prefetch(rows[i] + at + ahead, 0, 2);
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

/// Of up to 8 groups from number `first` (of the whole matrix) on: their scales, from lane 8 on
/// their biases.
CONVERGIO_INLINE V scales_and_biases(const Weights& w, std::int64_t first, int count) {
  const std::int64_t at = first * type_bytes(w.type);
  const __mmask8 lanes = static_cast<__mmask8>(first_lanes(count));
  if (w.type == Type::F32) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_maskz_loadu_ps(lanes, w.scales + at)),
                              _mm256_maskz_loadu_ps(lanes, w.biases + at), 1);
  }
  const __m256i halves =
      _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_maskz_loadu_epi16(lanes, w.scales + at)),
                              _mm_maskz_loadu_epi16(lanes, w.biases + at), 1);
  return w.type == Type::F16 ? _mm512_cvtph_ps(halves) : bfloats(halves);
}

/// The scales and biases of `groups` groups of 16 rows, of each the first one's number `first`.
CONVERGIO_INLINE void fill_groups(const Weights& w, const std::int64_t* first, std::int64_t groups,
                                  float* scales, float* biases) {
  const bool floats = w.format != Format::Affine;
  if (!floats && groups <= kLanesOut / 2) {
    V r[kLanesOut];
    for (int i = 0; i < kLanesOut; ++i) {
      r[i] = scales_and_biases(w, first[i], static_cast<int>(groups));
    }
    transpose(r);
    for (int j = 0; j < groups; ++j) {
      _mm512_store_ps(scales + j * kLanesOut, r[j]);
      _mm512_store_ps(biases + j * kLanesOut, r[kLanesOut / 2 + j]);
    }
    return;
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
/// [from, from + cols). The next panel lies `next` bytes after this one.
template <class Number>
static void fill_panel(const Weights& w, std::int64_t row, std::int64_t end, std::int64_t from,
                       std::int64_t cols, std::int64_t next, int v, Panel& panel) {
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
    out = fill_words<Number>(rows, at, Number::kBytes, next, out);
  }
  if (at < bytes) {
    fill_words<Number>(rows, at, bytes - at, next, out);
  }
  fill_groups(w, groups, cols / w.group, panel.scales[v], panel.biases[v]);
}

/// Prefetches the scales and biases of up to kOutputs outputs from `row` on.
CONVERGIO_INLINE void prefetch_scales(const Weights& w, std::int64_t row, std::int64_t end) {
  const std::int64_t bytes = w.cols / w.group * group_bytes(w);
  const std::int64_t last = row + kOutputs < end ? row + kOutputs : end;
  for (std::int64_t at = row * bytes; at < last * bytes; at += 64) {
    __builtin_prefetch(w.scales + at, 0, 2);
    if (w.biases != nullptr) {
      __builtin_prefetch(w.biases + at, 0, 2);
    }
  }
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
                                 std::int64_t y_stride, int outputs) {
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
                        const Panel& panel, float* y, std::int64_t y_stride, int outputs) {
  for_row_tiles<6, 5, 4, 3, 2, 1>(x.n, [&]<int kRows>(std::int64_t i) CONVERGIO_LAMBDA {
    int16_tile<kRows>(w, x, i, from, cols, panel, y + i * y_stride, y_stride, outputs);
  });
}

/// The outputs [begin, end) for all rows of x.
template <class Number>
static void int16_matmul_of(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                            std::int64_t begin, std::int64_t end, Panel& panel) {
  // x stays in the second-level cache: all of a few rows, or a block of many
  constexpr std::int64_t kFew = 32;
  const std::int64_t blocks = (w.cols + kInt16Cols - 1) / kInt16Cols;
  const std::int64_t across = (end - begin + kOutputs - 1) / kOutputs;
  const auto row_of = [&](std::int64_t i) CONVERGIO_LAMBDA {
    return begin + kOutputs * (x.n <= kFew ? i / blocks : i % across);
  };
  const auto from_of = [&](std::int64_t i) CONVERGIO_LAMBDA {
    return kInt16Cols * (x.n <= kFew ? i % blocks : i / across);
  };
  for (std::int64_t i = 0; i < blocks * across; ++i) {
    const std::int64_t row = row_of(i);
    const std::int64_t from = from_of(i);
    const std::int64_t cols = block_cols(w, from);
    const std::int64_t next =
        (row_of(i + 1) - row) * row_bytes(w) + (from_of(i + 1) - from) * Number::kBits / 8;
    if (from == 0) {
      prefetch_scales(w, row + kOutputs, end);
    }
    for (int v = 0; v < kVectorsOut && row + v * kLanesOut < end; ++v) {
      fill_panel<Number>(w, row + v * kLanesOut, end, from, cols, next, v, panel);
    }
    const auto outputs = static_cast<int>(end - row < kOutputs ? end - row : kOutputs);
    int16_tiles(w, x, from, cols, panel, y + (row - begin), y_stride, outputs);
  }
}

static void int16_matmul(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                         std::int64_t begin, std::int64_t end, void* work) {
  with_int16_number(w, [&]<class Number>() CONVERGIO_LAMBDA {
    int16_matmul_of<Number>(w, x, y, y_stride, begin, end, *static_cast<Panel*>(work));
  });
}
