// y = x · Wᵀ for many rows of x in 16 bits: AVX-512 VNNI.
//
// Sixteen outputs are sixteen lanes: a panel holds, for each four inputs, a word of four unsigned
// numbers for each output, so that one instruction adds 64 products into 16 32-bit sums. A panel is
// kInt16Cols inputs deep, so that it stays in the first-level cache for all rows of x; x is laid
// out by such blocks, one after another.

constexpr int kLanesOut = 16;
constexpr int kVectorsOut = 2;
constexpr std::int64_t kOutputs = kLanesOut * kVectorsOut;
constexpr int kTileRows = 6;
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

/// Numbers whose width does not divide 8, as bytes. `count` is a multiple of 32.
template <int kBits>
CONVERGIO_INLINE void to_bytes(const std::uint8_t* p, std::int64_t count, std::uint8_t* out) {
  for (std::int64_t k = 0; k < count; k += 16) {
    const __m512i lanes = _mm512_and_si512(spread<kBits>(p), _mm512_set1_epi32((1 << kBits) - 1));
    _mm_storeu_si128(reinterpret_cast<__m128i_u*>(out + k), _mm512_cvtepi32_epi8(lanes));
    p += 2 * kBits;
  }
}

/// One packed word of 16 outputs to the words of four unsigned bytes that it holds.
CONVERGIO_INLINE void store_words(const Weights& w, __m512i word, std::uint8_t* out) {
  if (w.format == Format::Mxfp4 || w.format == Format::Nvfp4) {
    const __m512i values = e2m1_bytes();
    const __m512i mask = _mm512_set1_epi8(15);
    _mm512_store_si512(out, _mm512_shuffle_epi8(values, _mm512_and_si512(word, mask)));
    _mm512_store_si512(
        out + 64, _mm512_shuffle_epi8(values, _mm512_and_si512(_mm512_srli_epi32(word, 4), mask)));
  } else if (w.bits == 4) {
    const __m512i mask = _mm512_set1_epi8(15);
    _mm512_store_si512(out, _mm512_and_si512(word, mask));
    _mm512_store_si512(out + 64, _mm512_and_si512(_mm512_srli_epi32(word, 4), mask));
  } else if (w.bits == 2) {
    const __m512i mask = _mm512_set1_epi8(3);
    for (int j = 0; j < 4; ++j) {
      _mm512_store_si512(
          out + 64 * j,
          _mm512_and_si512(_mm512_srli_epi32(word, static_cast<unsigned>(2 * j)), mask));
    }
  } else {
    _mm512_store_si512(out, word);
  }
}

/// What int16_tile reads of a block of W: for each vector of 16 outputs, the words of four
/// numbers, and the scale and the bias of each group.
struct alignas(64) Panel {
  std::uint8_t words[kVectorsOut][kLanesOut * kInt16Cols];
  float scales[kVectorsOut][kLanesOut * kInt16Cols / 16];
  float biases[kVectorsOut][kLanesOut * kInt16Cols / 16];
  std::uint8_t bytes[kLanesOut][kInt16Cols];  ///< rows taken apart
  std::uint8_t spare[kInt16Cols + 64];        ///< a row that may be read past
};
static_assert(sizeof(Panel) <= kInt16Work);

/// A packed row's part from input `from` on, safe to read a vector past.
CONVERGIO_INLINE const std::uint8_t* packed_part(const Weights& w, std::int64_t row,
                                                 std::int64_t from, std::int64_t cols,
                                                 std::uint8_t* spare) {
  const std::uint8_t* p = w.data + row * row_bytes(w) + from * w.bits / 8;
  if (w.data + w.rows * row_bytes(w) - (p + cols * w.bits / 8) >= kOverread) {
    return p;
  }
  __builtin_memcpy(spare, p, static_cast<std::size_t>(cols * w.bits / 8));
  return spare;
}

/// Vector `v` of a panel: the 16 outputs from `row` on (those past `end` repeat the last), inputs
/// [from, from + cols).
static void fill_panel(const Weights& w, std::int64_t row, std::int64_t end, std::int64_t from,
                       std::int64_t cols, int v, Panel& panel) {
  const bool as_bytes = w.bits == 3 || w.bits == 5 || w.bits == 6;
  const std::int64_t line = as_bytes ? cols : cols * w.bits / 8;
  const int words_out = as_bytes || w.bits == 8 ? 1 : 8 / w.bits;
  const std::uint8_t* rows[kLanesOut];
  for (int i = 0; i < kLanesOut; ++i) {
    const std::int64_t r = row + i < end ? row + i : end - 1;
    rows[i] = w.data + r * row_bytes(w) + from * w.bits / 8;
    if (as_bytes) {
      const std::uint8_t* packed = packed_part(w, r, from, cols, panel.spare);
      if (w.bits == 3) {
        to_bytes<3>(packed, cols, panel.bytes[i]);
      } else if (w.bits == 5) {
        to_bytes<5>(packed, cols, panel.bytes[i]);
      } else {
        to_bytes<6>(packed, cols, panel.bytes[i]);
      }
      rows[i] = panel.bytes[i];
    }
  }
  std::uint8_t* out = panel.words[v];
  for (std::int64_t at = 0; at < line; at += 64) {
    const int words = line - at < 64 ? static_cast<int>(line - at) / 4 : 16;
    V r[kLanesOut];
    for (int i = 0; i < kLanesOut; ++i) {
      r[i] = _mm512_castsi512_ps(load_words(rows[i] + at, words));
    }
    transpose(r);
    for (int i = 0; i < words; ++i) {
      store_words(w, _mm512_castps_si512(r[i]), out);
      out += 64 * words_out;
    }
  }
  const std::int64_t groups = cols / w.group;
  const bool floats = w.format != Format::Affine;
  for (std::int64_t g = 0; g < groups; g += kLanesOut) {
    const int count = static_cast<int>(groups - g < kLanesOut ? groups - g : kLanesOut);
    V s[kLanesOut];
    V b[kLanesOut];
    for (int i = 0; i < kLanesOut; ++i) {
      const std::int64_t r = row + i < end ? row + i : end - 1;
      const std::int64_t first = (r * w.cols + from) / w.group + g;
      s[i] = scales_of(w, first, count);
      b[i] = floats ? s[i] * splat(-6.0F) : biases_of(w, first, count);
      s[i] = floats ? s[i] * splat(0.5F) : s[i];
    }
    transpose(s);
    transpose(b);
    for (int j = 0; j < count; ++j) {
      _mm512_store_ps(panel.scales[v] + (g + j) * kLanesOut, s[j]);
      _mm512_store_ps(panel.biases[v] + (g + j) * kLanesOut, b[j]);
    }
  }
}

/// Prefetches the lines of W that the next panel is made of.
CONVERGIO_INLINE void prefetch_panel(const Weights& w, std::int64_t row, std::int64_t end,
                                     std::int64_t from) {
  const std::int64_t bytes = block_cols(w, from) * w.bits / 8;
  for (std::int64_t r = row; r < end && r < row + kOutputs; ++r) {
    const std::uint8_t* p = w.data + r * row_bytes(w) + from * w.bits / 8;
    for (std::int64_t at = 0; at < bytes; at += 64) {
      __builtin_prefetch(p + at, 0, 2);
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

/// One group, kRows rows of x by kOutputs outputs: sums += products of the high or the low bytes at
/// `q`.
template <int kRows>
CONVERGIO_INLINE void add_group(const std::uint8_t* words, const std::int8_t* q, std::int64_t cols,
                                int group, __m512i (&sums)[kRows][kVectorsOut]) {
  for (int k = 0; k < group; k += 4) {
    __m512i word[kVectorsOut];
    for (int v = 0; v < kVectorsOut; ++v) {
      word[v] = _mm512_load_si512(words + 16 * k + v * kLanesOut * kInt16Cols);
    }
    for (int i = 0; i < kRows; ++i) {
      const __m512i four = four_bytes(q + 2 * (i * cols + k));
      for (int v = 0; v < kVectorsOut; ++v) {
        add_products(sums[i][v], word[v], four);
      }
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
    __m512i sums[kRows][kVectorsOut];  // of the high bytes, then of both
    for (int i = 0; i < kRows; ++i) {
      for (int v = 0; v < kVectorsOut; ++v) {
        sums[i][v] = _mm512_setzero_si512();
      }
    }
    add_group<kRows>(words, q, cols, w.group, sums);
    for (int i = 0; i < kRows; ++i) {
      for (int v = 0; v < kVectorsOut; ++v) {
        sums[i][v] = _mm512_slli_epi32(sums[i][v], 8);
      }
    }
    add_group<kRows>(words, q + 4, cols, w.group, sums);
    words += 16 * w.group;
    for (int v = 0; v < kVectorsOut; ++v) {
      const V scale = _mm512_load_ps(panel.scales[v] + g * kLanesOut);
      const V bias = _mm512_load_ps(panel.biases[v] + g * kLanesOut);
      for (int i = 0; i < kRows; ++i) {
        total[i][v] = total[i][v] + group_result(sums[i][v], scale * splat(xs[i * groups + g]),
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

/// All rows of x, kTileRows at a time, by one panel.
static void int16_tiles(const Weights& w, const Int16Rows& x, std::int64_t from, std::int64_t cols,
                        const Panel& panel, float* y, std::int64_t y_stride, int outputs) {
  for_row_tiles<kTileRows, 3, 1>(x.n, [&]<int kRows>(std::int64_t i) CONVERGIO_LAMBDA {
    int16_tile<kRows>(w, x, i, from, cols, panel, y + i * y_stride, y_stride, outputs);
  });
}

/// The outputs [begin, end) for all rows of x.
static void int16_matmul(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                         std::int64_t begin, std::int64_t end, void* work) {
  auto& panel = *static_cast<Panel*>(work);
  for (std::int64_t from = 0; from < w.cols; from += kInt16Cols) {
    const std::int64_t cols = block_cols(w, from);
    for (std::int64_t row = begin; row < end; row += kOutputs) {
      for (int v = 0; v < kVectorsOut && row + v * kLanesOut < end; ++v) {
        fill_panel(w, row + v * kLanesOut, end, from, cols, v, panel);
      }
      if (row + kOutputs < end) {
        prefetch_panel(w, row + kOutputs, end, from);
      } else if (from + kInt16Cols < w.cols) {
        prefetch_panel(w, begin, end, from + kInt16Cols);
      }
      const auto outputs = static_cast<int>(end - row < kOutputs ? end - row : kOutputs);
      int16_tiles(w, x, from, cols, panel, y + (row - begin), y_stride, outputs);
    }
  }
}
