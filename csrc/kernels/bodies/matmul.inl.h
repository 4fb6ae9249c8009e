// y = x · Wᵀ for many rows of x. A panel of kPanelRows outputs by kPanelCols inputs is unpacked to
// floats, small enough for the second-level cache; tiles of kTileX rows of x by kTileW rows of the
// panel are kept in registers, vectors along the inputs.

constexpr std::int64_t kPanelRows = 16;
constexpr std::int64_t kPanelCols = 1024;
constexpr int kTileX = kLanes == 16 ? 6 : kLanes == 4 ? 5 : 3;
constexpr int kTileW = 4;
static_assert(kPanelCols == kLinearPanelCols && kPanelRows == kLinearPanelRows);

template <int kX, int kW>
CONVERGIO_INLINE void tile(const float* x, std::int64_t x_stride, const float* panel,
                           std::int64_t cols, float* y, std::int64_t y_stride, bool first) {
  V acc[kX][kW];
  for (int i = 0; i < kX; ++i) {
    for (int j = 0; j < kW; ++j) {
      acc[i][j] = splat(0.0F);
    }
  }
  std::int64_t k = 0;
  for (; k + kLanes <= cols; k += kLanes) {
    V v[kW];
    for (int j = 0; j < kW; ++j) {
      v[j] = load(panel + j * kPanelCols + k);
    }
    for (int i = 0; i < kX; ++i) {
      const V xi = load(x + i * x_stride + k);
      for (int j = 0; j < kW; ++j) {
        acc[i][j] = fma(xi, v[j], acc[i][j]);
      }
    }
  }
  if (k < cols) {
    const int rest = static_cast<int>(cols - k);
    for (int i = 0; i < kX; ++i) {
      const V xi = load(x + i * x_stride + k, rest);
      for (int j = 0; j < kW; ++j) {
        acc[i][j] = fma(xi, load(panel + j * kPanelCols + k, rest), acc[i][j]);
      }
    }
  }
  for (int i = 0; i < kX; ++i) {
    for (int j = 0; j < kW; ++j) {
      const float dot = sum(acc[i][j]);
      y[i * y_stride + j] = first ? dot : y[i * y_stride + j] + dot;
    }
  }
}

template <int kW>
CONVERGIO_INLINE void tiles(const LinearPiece& piece, const float* x, const float* panel,
                            std::int64_t cols, float* y, bool first) {
  std::int64_t i = 0;
  for (; i + kTileX <= piece.n; i += kTileX) {
    tile<kTileX, kW>(x + i * piece.x_stride, piece.x_stride, panel, cols, y + i * piece.y_stride,
                     piece.y_stride, first);
  }
  for (; i < piece.n; ++i) {
    tile<1, kW>(x + i * piece.x_stride, piece.x_stride, panel, cols, y + i * piece.y_stride,
                piece.y_stride, first);
  }
}

static void matmul(const Weights& w, const LinearPiece& piece) {
  float* panel = piece.work;
  void* spare = piece.work + kPanelRows * kPanelCols;
  for (std::int64_t row = piece.begin; row < piece.end; row += kPanelRows) {
    const std::int64_t rows = piece.end - row < kPanelRows ? piece.end - row : kPanelRows;
    for (std::int64_t from = 0; from < w.cols; from += kPanelCols) {
      const std::int64_t to = w.cols - from < kPanelCols ? w.cols : from + kPanelCols;
      for (std::int64_t r = 0; r < rows; ++r) {
        columns_to_float(w, row + r, from, to, panel + r * kPanelCols, spare);
      }
      std::int64_t r = 0;
      for (; r + kTileW <= rows; r += kTileW) {
        tiles<kTileW>(piece, piece.x + from, panel + r * kPanelCols, to - from,
                      piece.y + (row - piece.begin) + r, from == 0);
      }
      for (; r < rows; ++r) {
        tiles<1>(piece, piece.x + from, panel + r * kPanelCols, to - from,
                 piece.y + (row - piece.begin) + r, from == 0);
      }
    }
  }
}
