// The products of a panel by AVX-512 VNNI: one instruction adds 64 of them into 16 32-bit sums.

constexpr int kTileRows = 6;  // of x, whose sums the registers hold

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
          const __m512i four = four_bytes(q + 2 * i * cols + k + part * group);
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
    add_group<kRows, kParts>(words, q + group, cols, group, sums);
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
CONVERGIO_INLINE void vnni_tile(const Weights& w, const Int16Rows& x, std::int64_t first,
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

/// All rows of x by a panel.
class VnniProducts {
 public:
  explicit VnniProducts(const Weights& w, std::int64_t /*n*/) : group_(w.group) {}

  /// Steps of `ahead` with a panel of `cols` inputs.
  std::int64_t steps(std::int64_t n, std::int64_t cols) const {
    return (n + kTileRows - 1) / kTileRows * (cols / group_);
  }

  void run(const Weights& w, const Int16Rows& x, std::int64_t from, std::int64_t cols,
           const Panel& panel, float* y, std::int64_t y_stride, int outputs, Ahead& ahead) const {
    for_row_tiles<kTileRows, 5, 4, 3, 2, 1>(x.n, [&]<int kRows>(std::int64_t i) CONVERGIO_LAMBDA {
      vnni_tile<kRows>(w, x, i, from, cols, panel, y + i * y_stride, y_stride, outputs, ahead);
    });
  }

 private:
  std::int64_t group_;
};
