// y = x · Wᵀ for many rows of x. Some rows of W are unpacked to a panel of floats, small enough for
// the second-level cache, and used for all rows of x: tiles of kX rows of x by kW rows of the
// panel, vectors along the inputs, a block of inputs at a time that the first-level cache holds.
// What a tile has of its sums waits in memory meanwhile.
//
// Each lane's sum goes through the steps of the kernels of few rows (gemv.inl.h, packed.inl.h), so
// that a row's result does not depend on the number of rows.

constexpr int kTileW = 4;
constexpr int kRowsOfX = 96;  // that meet a tile's rows of W before the next do

/// Of a row of x and a tile's rows of W: a lane's sums, of which the sum is the result.
struct alignas(64) TileSums {
  float at[kTileW][kLanes];
};

/// sums += a vector of each row of a panel by one of each row of x, the first n lanes.
template <int kX, int kW>
CONVERGIO_INLINE void add_products(const float* panel, std::int64_t stride, const float* x,
                                   std::int64_t x_stride, int n, V (&sums)[kX][kW]) {
  const auto read = [n](const float* p)
                        CONVERGIO_LAMBDA { return n == kLanes ? load(p) : load(p, n); };
  constexpr bool kHoldX = kX < kW;  // the fewer vectors are held, the others read one at a time
  constexpr int kHeld = kHoldX ? kX : kW;
  V held[kHeld];
  for (int i = 0; i < kHeld; ++i) {
    held[i] = in_register(read(kHoldX ? x + i * x_stride : panel + i * stride));
  }
  for (int j = 0; j < (kHoldX ? kW : kX); ++j) {
    const V other = in_register(read(kHoldX ? panel + j * stride : x + j * x_stride));
    for (int i = 0; i < kHeld; ++i) {
      V& sum = kHoldX ? sums[i][j] : sums[j][i];
      sum = fma(held[i], other, sum);
    }
  }
}

/// A panel of numbers in their order.
struct OrderedPanel {
  static constexpr int kTileX = kLanes == 16 ? 6 : kLanes == 4 ? 5 : 3;
  static constexpr std::int64_t kBlock = 1024;  // inputs at a time
  const Weights& w;
  void* spare;

  CONVERGIO_METHOD std::int64_t length() const { return w.cols; }
  CONVERGIO_METHOD void fill(std::int64_t row, float* out) const {
    columns_to_float(w, row, 0, w.cols, out, spare);
  }

  template <int kX, int kW>
  CONVERGIO_METHOD void add(const float* x, std::int64_t x_stride, const float* panel,
                            std::int64_t from, TileSums* sums) const {
    const std::int64_t stride = panel_floats(w);
    const std::int64_t to = w.cols - from < kBlock ? w.cols : from + kBlock;
    V acc[kX][kW];
    for (int i = 0; i < kX; ++i) {
      for (int j = 0; j < kW; ++j) {
        acc[i][j] = load(sums[i].at[j]);
      }
    }
    std::int64_t k = from;
    for (; k + kLanes <= to; k += kLanes) {
      add_products(panel + k, stride, x + k, x_stride, kLanes, acc);
    }
    if (k < to) {
      add_products(panel + k, stride, x + k, x_stride, static_cast<int>(to - k), acc);
    }
    for (int i = 0; i < kX; ++i) {
      for (int j = 0; j < kW; ++j) {
        store(sums[i].at[j], acc[i][j]);
      }
    }
  }
};

/// A panel of packed words taken apart: for each block of kLanes words its fields, then the scale
/// of each lane; after the blocks, the row's biases.
template <class Number, int kWords>
struct WordsPanel {
  static constexpr int kTileX = 3;
  static constexpr std::int64_t kBlock = kGroupsAtOnce;  // groups at a time
  static constexpr int kFields = 32 / Number::kBits;
  static constexpr int kBlockFloats = (kFields + 1) * kLanes;
  static constexpr int kBlocks = kGroupsAtOnce * kWords / kLanes;  // for so many groups
  const Weights& w;

  CONVERGIO_METHOD std::int64_t length() const { return w.cols / w.group; }
  CONVERGIO_METHOD std::int64_t blocks() const { return (length() * kWords + kLanes - 1) / kLanes; }

  template <int kField>
  CONVERGIO_METHOD static void store_fields(Words v, float* out) {
    if constexpr (kField < kFields) {
      store(out + kField * kLanes, Number::template field<kField>(v));
      store_fields<kField + 1>(v, out);
    }
  }
  CONVERGIO_METHOD void fill(std::int64_t row, float* out) const {
    const std::uint8_t* p = w.data + row * row_bytes(w);
    float* biases = out + blocks() * kBlockFloats;
    Groups scales;
    int left = static_cast<int>(length()) * kWords;
    for (std::int64_t g = 0; g < length(); g += kGroupsAtOnce) {
      const auto count = static_cast<int>(length() - g);
      const std::int64_t group = row * length() + g;
      for (int s = 0; s < kGroupsAtOnce; s += kLanes) {
        set(scales, s, scales_of(w, group + s, count - s));
        store(biases + g + s, biases_of(w, group + s, count - s));
      }
      for (int b = 0; b < kBlocks && left > 0; ++b, left -= kLanes) {
        store_fields<0>(left >= kLanes ? load_words(p) : load_words(p, left), out);
        store(out + kFields * kLanes, repeat<kWords>(scales, b * kLanes / kWords));
        p += 4 * kLanes;
        out += kBlockFloats;
      }
    }
  }

  template <int kX, int kW>
  CONVERGIO_METHOD void add(const float* x, std::int64_t x_stride, const float* panel,
                            std::int64_t from, TileSums* sums) const {
    const std::int64_t stride = panel_floats(w);
    const float* x_sums = x + prepacked_items(w);
    const float* biases = panel + blocks() * kBlockFloats;
    for (std::int64_t g = from; g < from + kBlock && g < length(); g += kGroupsAtOnce) {
      V total[kX][kW];
      for (int i = 0; i < kX; ++i) {
        for (int j = 0; j < kW; ++j) {
          total[i][j] = load(sums[i].at[j]);
        }
      }
      for (int s = 0; s < kGroupsAtOnce && w.format == Format::Affine; s += kLanes) {
        add_products(biases + g + s, stride, x_sums + g + s, x_stride, kLanes, total);
      }
      const std::int64_t first = g / kGroupsAtOnce * kBlocks;
      for (std::int64_t b = first; b < first + kBlocks && b < blocks(); ++b) {
        const float* block = panel + b * kBlockFloats;
        V dots[kX][kW];
        for (int i = 0; i < kX; ++i) {
          for (int j = 0; j < kW; ++j) {
            dots[i][j] = splat(0.0F);
          }
        }
        for (int f = 0; f < kFields; ++f) {
          add_products(block + f * kLanes, stride, x + (b * kFields + f) * kLanes, x_stride, kLanes,
                       dots);
        }
        for (int j = 0; j < kW; ++j) {
          const V scale = load(block + j * stride + kFields * kLanes);
          for (int i = 0; i < kX; ++i) {
            total[i][j] = fma(dots[i][j], scale, total[i][j]);
          }
        }
      }
      for (int i = 0; i < kX; ++i) {
        for (int j = 0; j < kW; ++j) {
          store(sums[i].at[j], total[i][j]);
        }
      }
    }
  }
};

/// Up to kRowsOfX rows of x by kW rows of a panel.
template <int kW, class Panel>
CONVERGIO_INLINE void multiply(const Panel& panel, const float* numbers, const float* x,
                               std::int64_t x_stride, std::int64_t n, float* y,
                               std::int64_t y_stride) {
  TileSums sums[kRowsOfX];
  for (std::int64_t i = 0; i < n; ++i) {
    for (int j = 0; j < kW; ++j) {
      store(sums[i].at[j], splat(0.0F));
    }
  }
  for (std::int64_t from = 0; from < panel.length(); from += Panel::kBlock) {
    for_row_tiles<Panel::kTileX, 1>(n, [&]<int kX>(std::int64_t i) CONVERGIO_LAMBDA {
      panel.template add<kX, kW>(x + i * x_stride, x_stride, numbers, from, sums + i);
    });
  }
  for (std::int64_t i = 0; i < n; ++i) {
    for (int j = 0; j < kW; ++j) {
      y[i * y_stride + j] = sum(load(sums[i].at[j]));
    }
  }
}

/// The outputs of a piece: a panel of rows of W at a time.
template <class Panel>
CONVERGIO_INLINE void matmul_by(const Weights& w, const LinearPiece& piece, const Panel& panel) {
  const std::int64_t stride = panel_floats(w);
  for (std::int64_t row = piece.begin; row < piece.end; row += panel_rows(w)) {
    const std::int64_t left = piece.end - row;
    const std::int64_t rows = left < panel_rows(w) ? left : panel_rows(w);
    for (std::int64_t r = 0; r < rows; ++r) {
      panel.fill(row + r, piece.work + r * stride);
    }
    for (std::int64_t i = 0; i < piece.n; i += kRowsOfX) {
      const std::int64_t n = piece.n - i < kRowsOfX ? piece.n - i : kRowsOfX;
      for_row_tiles<kTileW, 1>(rows, [&]<int kW>(std::int64_t r) CONVERGIO_LAMBDA {
        multiply<kW>(panel, piece.work + r * stride, piece.x + i * piece.x_stride, piece.x_stride,
                     n, piece.y + i * piece.y_stride + (row - piece.begin) + r, piece.y_stride);
      });
    }
  }
}

struct PackedMatmul {
  const Weights& w;
  const LinearPiece& piece;
  template <class Number, int kWords>
  CONVERGIO_METHOD void run() const {
    matmul_by(w, piece, WordsPanel<Number, kWords>{w});
  }
};

/// piece.x is prepacked as for gemv.
static void matmul(const Weights& w, const LinearPiece& piece) {
  if (is_packed_words(w)) {
    with_packed_words(w, PackedMatmul{w, piece});
  } else {
    matmul_by(w, piece, OrderedPanel{w, piece.work + panel_rows(w) * panel_floats(w)});
  }
}
