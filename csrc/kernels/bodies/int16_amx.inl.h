// The products of a panel by AMX: one instruction multiplies 16 rows of x by 16 outputs, 64 inputs
// deep. A panel's words are a tile as they lie; so are a group's high bytes, and its low ones, of
// 16 rows of x. What comes after the products, and so every number, is as with VNNI.

/// What the tiles hold: sums of the first and of the second vector of outputs, rows of x, words.
enum Tile : int { kHigh0, kLow0, kHigh1, kLow1, kHighRows, kLowRows, kWords0, kWords1 };

/// Sums of one vector of outputs, a row of x a line.
struct alignas(64) TileSums {
  std::int32_t high[kAmxRows][kLanesOut];
  std::int32_t low[kAmxRows][kLanesOut];
};

/// One group, up to 16 rows of x by kOutputs outputs.
CONVERGIO_INLINE void amx_group(const Panel& panel, std::int64_t word, const std::int8_t* q,
                                std::int64_t stride, int group, TileSums (&sums)[kVectorsOut]) {
  constexpr std::int64_t kLine = 64;
  zero_tile<kHigh0>();
  zero_tile<kLow0>();
  zero_tile<kHigh1>();
  zero_tile<kLow1>();
  for (int k = 0; k < group; k += kAmxDepth) {
    load_tile<kHighRows>(q + k, stride);
    load_tile<kWords0>(panel.words[0] + word + k * kLanesOut, kLine);
    add_signed_by_unsigned<kHigh0, kHighRows, kWords0>();
    load_tile<kLowRows>(q + group + k, stride);
    add_signed_by_unsigned<kLow0, kLowRows, kWords0>();
    load_tile<kWords1>(panel.words[1] + word + k * kLanesOut, kLine);
    add_signed_by_unsigned<kHigh1, kHighRows, kWords1>();
    add_signed_by_unsigned<kLow1, kLowRows, kWords1>();
  }
  store_tile<kHigh0>(sums[0].high, kLine);
  store_tile<kLow0>(sums[0].low, kLine);
  store_tile<kHigh1>(sums[1].high, kLine);
  store_tile<kLow1>(sums[1].low, kLine);
}

/// `rows` rows of x, up to 16, from `first` on by kOutputs outputs, over one block of inputs: y is
/// them, or they are added to it.
static void amx_tile(const Weights& w, const Int16Rows& x, std::int64_t first, int rows,
                     std::int64_t from, std::int64_t cols, const Panel& panel, float* y,
                     std::int64_t y_stride, int outputs, Ahead& ahead) {
  const int group = w.group;
  const std::int64_t groups = cols / group;
  const std::int64_t number = block_at(x, from, group) + first * groups;
  const std::int8_t* const q = x.bytes + 2 * (block_at(x, from, 1) + first * cols);
  const float* const xs = x.scales + number;
  const float* const xt = x.sums + number;
  TileSums sums[kVectorsOut];
  V total[kVectorsOut][kAmxRows];
  for (int v = 0; v < kVectorsOut; ++v) {
    for (int i = 0; i < rows; ++i) {
      total[v][i] =
          from == 0 ? splat(0.0F) : load(y + i * y_stride + v * kLanesOut, outputs - v * kLanesOut);
    }
  }
  for (std::int64_t g = 0; g < groups; ++g) {
    ahead.step();
    amx_group(panel, g * group * kLanesOut, q + 2 * g * group, 2 * cols, group, sums);
    for (int v = 0; v < kVectorsOut; ++v) {
      const V scale = _mm512_load_ps(panel.scales[v] + g * kLanesOut);
      const V bias = _mm512_load_ps(panel.biases[v] + g * kLanesOut);
      for (int i = 0; i < rows; ++i) {
        const __m512i products =
            _mm512_add_epi32(_mm512_slli_epi32(_mm512_load_si512(sums[v].high[i]), 8),
                             _mm512_load_si512(sums[v].low[i]));
        total[v][i] = total[v][i] + group_result(products, scale * splat(xs[i * groups + g]), bias,
                                                 splat(xt[i * groups + g]));
      }
    }
  }
  for (int v = 0; v < kVectorsOut; ++v) {
    for (int i = 0; i < rows; ++i) {
      store(y + i * y_stride + v * kLanesOut, total[v][i], outputs - v * kLanesOut);
    }
  }
}

/// All rows of x by a panel.
class AmxProducts {
 public:
  AmxProducts(const Weights& w, std::int64_t n)
      : group_(w.group),
        whole_(shapes(w, kAmxRows)),
        rest_(shapes(w, static_cast<int>(n % kAmxRows))) {}

  /// Steps of `ahead` with a panel of `cols` inputs.
  std::int64_t steps(std::int64_t n, std::int64_t cols) const {
    return (n + kAmxRows - 1) / kAmxRows * (cols / group_);
  }

  void run(const Weights& w, const Int16Rows& x, std::int64_t from, std::int64_t cols,
           const Panel& panel, float* y, std::int64_t y_stride, int outputs, Ahead& ahead) {
    for (std::int64_t i = 0; i < x.n; i += kAmxRows) {
      const int rows = static_cast<int>(x.n - i < kAmxRows ? x.n - i : kAmxRows);
      tiles_.use(rows == kAmxRows ? whole_ : rest_);
      amx_tile(w, x, i, rows, from, cols, panel, y + i * y_stride, y_stride, outputs, ahead);
    }
  }

 private:
  static TileShapes shapes(const Weights& w, int rows) {
    TileShapes shapes;
    const int depth = w.group < kAmxDepth ? w.group : kAmxDepth;
    for (const Tile sums : {kHigh0, kLow0, kHigh1, kLow1}) {
      shapes.rows[sums] = static_cast<std::uint8_t>(rows);
      shapes.row_bytes[sums] = 4 * kLanesOut;
    }
    for (const Tile of_x : {kHighRows, kLowRows}) {
      shapes.rows[of_x] = static_cast<std::uint8_t>(rows);
      shapes.row_bytes[of_x] = static_cast<std::uint16_t>(depth);
    }
    for (const Tile words : {kWords0, kWords1}) {
      shapes.rows[words] = static_cast<std::uint8_t>(depth / 4);
      shapes.row_bytes[words] = 4 * kLanesOut;
    }
    return shapes;
  }

  std::int64_t group_;
  TileShapes whole_;
  TileShapes rest_;
  Tiles tiles_;
};
