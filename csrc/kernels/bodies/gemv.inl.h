// y = x · Wᵀ for a few rows of x: limited by the memory that holds W. Each weight is read and
// unpacked once for up to four rows of x.
//
// Each lane adds its products one after another, as in the kernel of many rows. So that it need not
// wait for its last sum at each step, a few rows of W are taken at a time where x has one.

/// kRows rows of x by kW rows of W.
template <class Codec, int kRows, int kW>
CONVERGIO_INLINE void codec_rows(const Weights& w, std::int64_t row, void* spare, const float* x,
                                 std::int64_t x_stride, float* y, std::int64_t y_stride) {
  constexpr int kVectors = Codec::kChunk / kLanes;
  const std::int64_t groups = w.cols / w.group;
  const std::uint8_t* p[kW];
  float scales[kW][kGroupsAtOnce];
  float biases[kW][kGroupsAtOnce];
  V acc[kRows][kW];
  for (int j = 0; j < kW; ++j) {
    p[j] = packed_row(w, row + j, static_cast<std::uint8_t*>(spare) + j * spare_bytes(w));
    for (int i = 0; i < kRows; ++i) {
      acc[i][j] = splat(0.0F);
    }
  }
  for (std::int64_t g = 0; g < groups; g += kGroupsAtOnce) {
    const int count = static_cast<int>(groups - g < kGroupsAtOnce ? groups - g : kGroupsAtOnce);
    for (int j = 0; j < kW; ++j) {
      read_groups(w, (row + j) * groups + g, count, scales[j], biases[j]);
    }
    for (int group = 0; group < count; ++group) {
      for (int k = 0; k < w.group; k += Codec::kChunk) {
        for (int j = 0; j < kW; ++j) {
          V v[kVectors];
          Codec(scales[j][group], biases[j][group])(p[j], v);
          p[j] += Codec::kBytes;
          for (int i = 0; i < kRows; ++i) {
            for (int n = 0; n < kVectors; ++n) {
              acc[i][j] = fma(v[n], load(x + i * x_stride + n * kLanes), acc[i][j]);
            }
          }
        }
        x += Codec::kChunk;
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kW; ++j) {
      y[i * y_stride + j] = sum(acc[i][j]);
    }
  }
}

/// kRows rows of x by kW rows of W from `p` on.
template <Type kType, int kRows, int kW>
CONVERGIO_INLINE void dense_rows(const std::uint8_t* p, std::int64_t cols, const float* x,
                                 std::int64_t x_stride, float* y, std::int64_t y_stride) {
  constexpr std::int64_t kSize = type_bytes(kType);
  V acc[kRows][kW];
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kW; ++j) {
      acc[i][j] = splat(0.0F);
    }
  }
  std::int64_t k = 0;
  for (; k + kLanes <= cols; k += kLanes) {
    for (int j = 0; j < kW; ++j) {
      const V v = load_as<kType>(p + (j * cols + k) * kSize);
      for (int i = 0; i < kRows; ++i) {
        acc[i][j] = fma(v, load(x + i * x_stride + k), acc[i][j]);
      }
    }
  }
  if (k < cols) {
    const int rest = static_cast<int>(cols - k);
    for (int j = 0; j < kW; ++j) {
      const V v = load_as<kType>(p + (j * cols + k) * kSize, rest);
      for (int i = 0; i < kRows; ++i) {
        acc[i][j] = fma(v, load(x + i * x_stride + k, rest), acc[i][j]);
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kW; ++j) {
      y[i * y_stride + j] = sum(acc[i][j]);
    }
  }
}

/// Rows of W taken at a time for kRows rows of x.
constexpr int rows_of_w(int rows, int most) { return rows == 1 ? most : rows == 2 ? most / 2 : 1; }

struct GemvOfCodec {
  const Weights& w;
  const LinearPiece& piece;
  template <class Codec>
  CONVERGIO_METHOD void run() const {
    if constexpr (!Codec::kInWords) {
      for_row_tiles<4, 3, 2, 1>(piece.n, [&]<int kRows>(std::int64_t i) CONVERGIO_LAMBDA {
        const float* x = piece.x + i * piece.x_stride;
        float* y = piece.y + i * piece.y_stride;
        for_row_tiles<rows_of_w(kRows, 2), 1>(
            piece.end - piece.begin, [&]<int kW>(std::int64_t row) CONVERGIO_LAMBDA {
              codec_rows<Codec, kRows, kW>(w, piece.begin + row, piece.work, x, piece.x_stride,
                                           y + row, piece.y_stride);
            });
      });
    }
  }
};

template <Type kType>
CONVERGIO_INLINE void gemv_dense(const Weights& w, const LinearPiece& piece) {
  const std::int64_t bytes = row_bytes(w);
  for_row_tiles<4, 3, 2, 1>(piece.n, [&]<int kRows>(std::int64_t i) CONVERGIO_LAMBDA {
    const float* x = piece.x + i * piece.x_stride;
    float* y = piece.y + i * piece.y_stride;
    for_row_tiles<rows_of_w(kRows, 4), 1>(
        piece.end - piece.begin, [&]<int kW>(std::int64_t row) CONVERGIO_LAMBDA {
          dense_rows<kType, kRows, kW>(w.data + (piece.begin + row) * bytes, w.cols, x,
                                       piece.x_stride, y + row, piece.y_stride);
        });
  });
}

/// piece.x is prepacked where the format's numbers are words.
static void gemv(const Weights& w, const LinearPiece& piece) {
  if (is_packed_words(w)) {
    with_packed_words(w, PackedGemv{w, piece});
    return;
  }
  if (w.format != Format::Dense) {
    with_codec(w, GemvOfCodec{w, piece});
    return;
  }
  switch (w.type) {
    case Type::F16:
      return gemv_dense<Type::F16>(w, piece);
    case Type::Bf16:
      return gemv_dense<Type::Bf16>(w, piece);
    default:
      return gemv_dense<Type::F32>(w, piece);
  }
}

static void dequantize(const Weights& w, std::int64_t row, float* out, float* work) {
  columns_to_float(w, row, 0, w.cols, out, work);
}
