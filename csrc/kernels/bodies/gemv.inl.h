// y = x · Wᵀ for one to eight rows of x: limited by the memory that holds W. Each weight is read
// and unpacked once; a row of W meets up to four rows of x at a time.

template <class Codec, int kRows>
CONVERGIO_INLINE void gemv_row(const Weights& w, const std::uint8_t* p, std::int64_t row,
                               const float* x, std::int64_t x_stride, float* y,
                               std::int64_t y_stride) {
  constexpr int kVectors = Codec::kChunk / kLanes;
  float scales[kGroupsAtOnce];
  float biases[kGroupsAtOnce];
  V even[kRows];
  V odd[kRows];
  for (int i = 0; i < kRows; ++i) {
    even[i] = splat(0.0F);
    odd[i] = splat(0.0F);
  }
  const std::int64_t groups = w.cols / w.group;
  for (std::int64_t g = 0; g < groups; g += kGroupsAtOnce) {
    const int count = static_cast<int>(groups - g < kGroupsAtOnce ? groups - g : kGroupsAtOnce);
    read_groups(w, row * groups + g, count, scales, biases);
    for (int group = 0; group < count; ++group) {
      const Codec codec(scales[group], biases[group]);
      for (int k = 0; k < w.group; k += Codec::kChunk) {
        V v[kVectors];
        codec(p, v);
        p += Codec::kBytes;
        for (int i = 0; i < kRows; ++i) {
          const float* xi = x + i * x_stride;
          for (int j = 0; j < kVectors; ++j) {
            V& acc = j % 2 == 0 ? even[i] : odd[i];
            acc = fma(v[j], load(xi + j * kLanes), acc);
          }
        }
        x += Codec::kChunk;
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    y[i * y_stride] = sum(even[i] + odd[i]);
  }
}

template <Type kType, int kRows>
CONVERGIO_INLINE void dense_row(const std::uint8_t* p, std::int64_t cols, const float* x,
                                std::int64_t x_stride, float* y, std::int64_t y_stride) {
  constexpr std::int64_t kSize = type_bytes(kType);
  constexpr int kSums = kRows > 2 ? 1 : 4;
  V acc[kRows][kSums];
  for (int i = 0; i < kRows; ++i) {
    for (int s = 0; s < kSums; ++s) {
      acc[i][s] = splat(0.0F);
    }
  }
  std::int64_t k = 0;
  for (; k + kSums * kLanes <= cols; k += kSums * kLanes) {
    for (int s = 0; s < kSums; ++s) {
      const V v = load_as<kType>(p + (k + s * kLanes) * kSize);
      for (int i = 0; i < kRows; ++i) {
        acc[i][s] = fma(v, load(x + i * x_stride + k + s * kLanes), acc[i][s]);
      }
    }
  }
  for (; k < cols; k += kLanes) {
    const int rest = static_cast<int>(cols - k);
    const V v = load_as<kType>(p + k * kSize, rest);
    for (int i = 0; i < kRows; ++i) {
      acc[i][0] = fma(v, load(x + i * x_stride + k, rest), acc[i][0]);
    }
  }
  for (int i = 0; i < kRows; ++i) {
    V all = acc[i][0];
    for (int s = 1; s < kSums; ++s) {
      all = all + acc[i][s];
    }
    y[i * y_stride] = sum(all);
  }
}

template <class Codec, int kRows>
CONVERGIO_INLINE void gemv_rows(const Weights& w, const LinearPiece& piece, std::int64_t first) {
  const float* x = piece.x + first * piece.x_stride;
  float* y = piece.y + first * piece.y_stride;
  for (std::int64_t row = piece.begin; row < piece.end; ++row) {
    gemv_row<Codec, kRows>(w, packed_row(w, row, piece.work), row, x, piece.x_stride,
                           y + (row - piece.begin), piece.y_stride);
  }
}

template <Type kType, int kRows>
CONVERGIO_INLINE void dense_rows(const Weights& w, const LinearPiece& piece, std::int64_t first) {
  const std::int64_t bytes = row_bytes(w);
  for (std::int64_t row = piece.begin; row < piece.end; ++row) {
    dense_row<kType, kRows>(w.data + row * bytes, w.cols, piece.x + first * piece.x_stride,
                            piece.x_stride, piece.y + first * piece.y_stride + (row - piece.begin),
                            piece.y_stride);
  }
}

struct GemvOfCodec {
  const Weights& w;
  const LinearPiece& piece;
  template <class Codec>
  CONVERGIO_METHOD void run() const {
    std::int64_t i = 0;
    for (; i + 4 <= piece.n; i += 4) {
      gemv_rows<Codec, 4>(w, piece, i);
    }
    for (; i + 2 <= piece.n; i += 2) {
      gemv_rows<Codec, 2>(w, piece, i);
    }
    if (i < piece.n) {
      gemv_rows<Codec, 1>(w, piece, i);
    }
  }
};

template <Type kType>
CONVERGIO_INLINE void gemv_dense(const Weights& w, const LinearPiece& piece) {
  std::int64_t i = 0;
  for (; i + 4 <= piece.n; i += 4) {
    dense_rows<kType, 4>(w, piece, i);
  }
  for (; i + 2 <= piece.n; i += 2) {
    dense_rows<kType, 2>(w, piece, i);
  }
  if (i < piece.n) {
    dense_rows<kType, 1>(w, piece, i);
  }
}

static void gemv(const Weights& w, const LinearPiece& piece) {
  if (is_packed_words(w)) {
    return gemv_packed(w, piece);
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
