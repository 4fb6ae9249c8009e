// y = x · Wᵀ for many rows, with x rounded to 8 bits: AVX-512 VNNI.
//
// Each row of x is cut into the groups of W; a group becomes one scale and numbers -127 … 127.
// Sixteen outputs are sixteen lanes: a panel holds, for each four inputs, a word of four unsigned
// numbers for each output, so that one instruction adds 64 products into 16 32-bit sums. Then, for
// each group, y += scale_w · scale_x · Σ q·x + bias_w · Σ x (of the rounded x, so that the error
// left is that of rounding times the weights themselves).
// 4-bit floats become 2 · value + 12, unsigned, with half the scale and a bias of -6 scales.

constexpr int kLanesOut = 16;
constexpr int kVectorsOut = 2;
constexpr std::int64_t kOutputs = kLanesOut * kVectorsOut;
constexpr int kTileRows = 6;
static_assert(kOutputs == kInt8Outputs);

/// Where input k (within its group) stands among the rounded numbers: packed words are taken apart
/// by masks, four bytes at a time, not into their order. For 4 bits a shuffle does it.
CONVERGIO_INLINE int place_of(int bits, int k) {
  return bits == 2 ? k / 16 * 16 + k % 4 * 4 + k % 16 / 4 : k;
}

static void round_row(const Weights& w, const float* x, std::int8_t* q, float* scales,
                      float* sums) {
  const std::int64_t groups = w.cols / w.group;
  for (std::int64_t g = 0; g < groups; ++g) {
    V most = splat(0.0F);
    for (int k = 0; k < w.group; k += kLanes) {
      most = vmax(most, vabs(load(x + k)));
    }
    const float size = largest(most);
    const float scale = size / 127.0F;
    const V inverse = splat(size > 0.0F ? 127.0F / size : 0.0F);
    std::int8_t line[128];
    V total = splat(0.0F);
    for (int k = 0; k < w.group; k += kLanes) {
      const V rounded = round_even(load(x + k) * inverse);
      total = total + rounded;
      _mm_storeu_si128(reinterpret_cast<__m128i_u*>(line + k),
                       _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(rounded)));
    }
    if (w.bits == 4) {
      const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
      for (int k = 0; k < w.group; k += 16) {
        _mm_storeu_si128(
            reinterpret_cast<__m128i_u*>(q + k),
            _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(line + k)), order));
      }
    } else {
      for (int k = 0; k < w.group; ++k) {
        q[place_of(w.bits, k)] = line[k];
      }
    }
    scales[g] = scale;
    sums[g] = scale * sum(total);
    x += w.group;
    q += w.group;
  }
}

/// 4-bit floats as bytes: 2 · value + 12.
CONVERGIO_INLINE __m512i e2m1_bytes() {
  return _mm512_broadcast_i32x4(
      _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
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

/// The panel of 16 outputs from `row` on (those past `end` repeat the last): all inputs.
/// `panel` takes cols words of four bytes for each 4 inputs, `scales` and `biases` 16 numbers a
/// group.
static void fill_panel(const Weights& w, std::int64_t row, std::int64_t end, std::uint8_t* panel,
                       float* scales, float* biases, std::uint8_t* spare) {
  const bool as_bytes = w.bits == 3 || w.bits == 5 || w.bits == 6;
  const std::int64_t line = as_bytes ? w.cols : row_bytes(w);
  const int words_out = as_bytes || w.bits == 8 ? 1 : 8 / w.bits;
  const std::uint8_t* rows[kLanesOut];
  for (int i = 0; i < kLanesOut; ++i) {
    const std::int64_t r = row + i < end ? row + i : end - 1;
    rows[i] = w.data + r * row_bytes(w);
    if (as_bytes) {
      std::uint8_t* bytes = spare + i * w.cols;
      const std::uint8_t* packed = packed_row(w, r, spare + kLanesOut * w.cols);
      if (w.bits == 3) {
        to_bytes<3>(packed, w.cols, bytes);
      } else if (w.bits == 5) {
        to_bytes<5>(packed, w.cols, bytes);
      } else {
        to_bytes<6>(packed, w.cols, bytes);
      }
      rows[i] = bytes;
    }
  }
  for (std::int64_t at = 0; at < line; at += 64) {
    const int words = line - at < 64 ? static_cast<int>(line - at) / 4 : 16;
    V r[kLanesOut];
    for (int i = 0; i < kLanesOut; ++i) {
      r[i] = _mm512_castsi512_ps(load_words(rows[i] + at, words));
    }
    transpose(r);
    for (int i = 0; i < words; ++i) {
      store_words(w, _mm512_castps_si512(r[i]), panel);
      panel += 64 * words_out;
    }
  }
  const std::int64_t groups = w.cols / w.group;
  const bool floats = w.format != Format::Affine;
  for (int i = 0; i < kLanesOut; ++i) {
    const std::int64_t r = row + i < end ? row + i : end - 1;
    for (std::int64_t g = 0; g < groups; g += kGroupsAtOnce) {
      float s[kGroupsAtOnce];
      float b[kGroupsAtOnce];
      const int count = static_cast<int>(groups - g < kGroupsAtOnce ? groups - g : kGroupsAtOnce);
      read_groups(w, r * groups + g, count, s, b);
      for (int j = 0; j < count; ++j) {
        scales[(g + j) * kLanesOut + i] = floats ? 0.5F * s[j] : s[j];
        biases[(g + j) * kLanesOut + i] = floats ? -6.0F * s[j] : b[j];
      }
    }
  }
}

/// kRows rows of x by kOutputs outputs.
template <int kRows>
CONVERGIO_INLINE void int8_tile(const Weights& w, const Int8Rows& x, std::int64_t first,
                                const std::uint8_t* panel, const float* scales, const float* biases,
                                std::int64_t panel_bytes, std::int64_t panel_groups, float* y,
                                std::int64_t y_stride, std::int64_t outputs) {
  const std::int64_t groups = w.cols / w.group;
  const std::int8_t* q = x.numbers + first * w.cols;
  const float* xs = x.scales + first * groups;
  const float* xt = x.sums + first * groups;
  V total[kRows][kVectorsOut];
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectorsOut; ++v) {
      total[i][v] = splat(0.0F);
    }
  }
  for (std::int64_t g = 0; g < groups; ++g) {
    __m512i acc[kRows][kVectorsOut];
    for (int i = 0; i < kRows; ++i) {
      for (int v = 0; v < kVectorsOut; ++v) {
        acc[i][v] = _mm512_setzero_si512();
      }
    }
    for (int k = 0; k < w.group; k += 4) {
      __m512i word[kVectorsOut];
      for (int v = 0; v < kVectorsOut; ++v) {
        word[v] = _mm512_load_si512(panel + v * panel_bytes);
      }
      for (int i = 0; i < kRows; ++i) {
        std::int32_t four;
        __builtin_memcpy(&four, q + i * w.cols + k, sizeof(four));
        const __m512i numbers = _mm512_set1_epi32(four);
        for (int v = 0; v < kVectorsOut; ++v) {
          acc[i][v] = _mm512_dpbusd_epi32(acc[i][v], word[v], numbers);
        }
      }
      panel += 64;
    }
    for (int v = 0; v < kVectorsOut; ++v) {
      const V scale = _mm512_load_ps(scales + v * panel_groups + g * kLanesOut);
      const V bias = _mm512_load_ps(biases + v * panel_groups + g * kLanesOut);
      for (int i = 0; i < kRows; ++i) {
        const V dot = _mm512_cvtepi32_ps(acc[i][v]) * splat(xs[i * groups + g]);
        total[i][v] = fma(bias, splat(xt[i * groups + g]), fma(dot, scale, total[i][v]));
      }
    }
    q += w.group;
  }
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectorsOut; ++v) {
      store(y + i * y_stride + v * kLanesOut, total[i][v],
            static_cast<int>(outputs) - v * kLanesOut);
    }
  }
}

/// The outputs [begin, end) for all rows of x.
static void matmul_int8(const Weights& w, const Int8Rows& x, float* y, std::int64_t y_stride,
                        std::int64_t begin, std::int64_t end, std::uint8_t* work) {
  const std::int64_t panel_bytes = kLanesOut * w.cols;
  const std::int64_t panel_groups = kLanesOut * (w.cols / w.group);
  std::uint8_t* panel = work;
  auto* scales = reinterpret_cast<float*>(panel + kVectorsOut * panel_bytes);
  float* biases = scales + kVectorsOut * panel_groups;
  auto* spare = reinterpret_cast<std::uint8_t*>(biases + kVectorsOut * panel_groups);
  for (std::int64_t row = begin; row < end; row += kOutputs) {
    for (int v = 0; v < kVectorsOut; ++v) {
      const std::int64_t first = row + v * kLanesOut;
      if (first < end) {
        fill_panel(w, first, end, panel + v * panel_bytes, scales + v * panel_groups,
                   biases + v * panel_groups, spare);
      }
    }
    const std::int64_t outputs = end - row < kOutputs ? end - row : kOutputs;
    std::int64_t i = 0;
    for (; i + kTileRows <= x.n; i += kTileRows) {
      int8_tile<kTileRows>(w, x, i, panel, scales, biases, panel_bytes, panel_groups,
                           y + i * y_stride + row, y_stride, outputs);
    }
    for (; i < x.n; ++i) {
      int8_tile<1>(w, x, i, panel, scales, biases, panel_bytes, panel_groups,
                   y + i * y_stride + row, y_stride, outputs);
    }
  }
}
