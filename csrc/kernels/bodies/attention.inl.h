// Attention of some query rows over a range of keys, one block of keys at a time, with the softmax
// carried along (Milakov and Gimelshein 2018; Dao et al. 2022), so that scores are never kept.
// The query heads of one KV head, and several positions, are taken together: rows of a small
// matrix. For many rows a block of keys is turned so that its keys are lanes.

constexpr int kBlockKeys = static_cast<int>(kAttentionKeys);
constexpr float kNever = -__builtin_inff();

/// c (kRows, kVectors · kLanes) = or += a (kRows, depth) · b (depth, kVectors · kLanes). kAhead: b
/// goes on beyond this block, and comes from memory.
template <Type kType, bool kAhead, int kRows, int kVectors>
CONVERGIO_INLINE void product_tile(const float* a, std::int64_t a_stride, const std::uint8_t* b,
                                   std::int64_t b_bytes, std::int64_t depth, float* c,
                                   std::int64_t c_stride, bool add) {
  V acc[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      acc[i][v] = add ? load(c + i * c_stride + v * kLanes) : splat(0.0F);
    }
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    if constexpr (kAhead) {
      ask_ahead(b + k * b_bytes, b_bytes, kVectors * kLanes * type_bytes(kType));
    }
    V bk[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      bk[v] = load_as<kType>(b + k * b_bytes + v * kLanes * type_bytes(kType));
    }
    for (int i = 0; i < kRows; ++i) {
      const V aik = splat(a[i * a_stride + k]);
      for (int v = 0; v < kVectors; ++v) {
        acc[i][v] = fma(aik, bk[v], acc[i][v]);
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      store(c + i * c_stride + v * kLanes, acc[i][v]);
    }
  }
}

template <Type kType, bool kAhead, int kRows>
CONVERGIO_INLINE void product_rows(const float* a, std::int64_t a_stride, const std::uint8_t* b,
                                   std::int64_t b_bytes, std::int64_t depth, float* c,
                                   std::int64_t c_stride, int width, bool add) {
  constexpr int kVectors = kLanes == 8 ? 2 : 4;
  int j = 0;
  for (; j + kVectors * kLanes <= width; j += kVectors * kLanes) {
    product_tile<kType, kAhead, kRows, kVectors>(a, a_stride, b + j * type_bytes(kType), b_bytes,
                                                 depth, c + j, c_stride, add);
  }
  for (; j < width; j += kLanes) {
    product_tile<kType, kAhead, kRows, 1>(a, a_stride, b + j * type_bytes(kType), b_bytes, depth,
                                          c + j, c_stride, add);
  }
}

/// Rows kRows at a time, as long as there are so many.
template <Type kType, bool kAhead, int kRows>
CONVERGIO_INLINE std::int64_t product_by(std::int64_t from, std::int64_t rows, const float* a,
                                         std::int64_t a_stride, const std::uint8_t* b,
                                         std::int64_t b_bytes, std::int64_t depth, float* c,
                                         std::int64_t c_stride, int width, bool add) {
  for (; from + kRows <= rows; from += kRows) {
    product_rows<kType, kAhead, kRows>(a + from * a_stride, a_stride, b, b_bytes, depth,
                                       c + from * c_stride, c_stride, width, add);
  }
  return from;
}

/// `width` is a multiple of kLanes.
template <Type kType, bool kAhead>
static void product(std::int64_t rows, const float* a, std::int64_t a_stride, const std::uint8_t* b,
                    std::int64_t b_bytes, std::int64_t depth, float* c, std::int64_t c_stride,
                    int width, bool add) {
  std::int64_t i = 0;
  i = product_by<kType, kAhead, 5>(i, rows, a, a_stride, b, b_bytes, depth, c, c_stride, width,
                                   add);
  i = product_by<kType, kAhead, 4>(i, rows, a, a_stride, b, b_bytes, depth, c, c_stride, width,
                                   add);
  i = product_by<kType, kAhead, 2>(i, rows, a, a_stride, b, b_bytes, depth, c, c_stride, width,
                                   add);
  i = product_by<kType, kAhead, 3>(i, rows, a, a_stride, b, b_bytes, depth, c, c_stride, width,
                                   add);
  product_by<kType, kAhead, 1>(i, rows, a, a_stride, b, b_bytes, depth, c, c_stride, width, add);
}

/// `count` keys of head_dim numbers to (head_dim, kBlockKeys) floats, zero past `count`.
template <Type kType>
CONVERGIO_INLINE void turn_keys(const std::uint8_t* keys, std::int64_t stride_bytes,
                                std::int64_t count, std::int64_t head_dim, float* out) {
  constexpr std::int64_t kSize = type_bytes(kType);
  for (std::int64_t j = 0; j < kBlockKeys; j += kLanes) {
    for (std::int64_t d = 0; d < head_dim; d += kLanes) {
      const int dims = static_cast<int>(head_dim - d < kLanes ? head_dim - d : kLanes);
      V r[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        r[i] = j + i < count ? load_as<kType>(keys + (j + i) * stride_bytes + d * kSize, dims)
                             : splat(0.0F);
      }
      transpose(r);
      for (int i = 0; i < dims; ++i) {
        store(out + (d + i) * kBlockKeys + j, r[i]);
      }
    }
  }
}

template <Type kType>
CONVERGIO_INLINE void widen_rows(const std::uint8_t* rows, std::int64_t stride_bytes,
                                 std::int64_t count, std::int64_t width, std::int64_t padded,
                                 float* out) {
  constexpr std::int64_t kSize = type_bytes(kType);
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t d = 0; d < padded; d += kLanes) {
      const int dims = static_cast<int>(width - d < kLanes ? width - d : kLanes);
      store(out + i * padded + d, load_as<kType>(rows + i * stride_bytes + d * kSize, dims));
    }
  }
}

/// Scores of one row against a block to weights, its running maximum, sum and mix brought along.
/// Keys [first, last) of the block are seen.
CONVERGIO_INLINE void soften(float* scores, std::int64_t first, std::int64_t last, float softcap,
                             float& most, float& total, float* mixed, std::int64_t padded) {
  if (softcap > 0.0F) {
    for (int j = 0; j < kBlockKeys; j += kLanes) {
      store(scores + j, splat(softcap) * tanh(load(scores + j) * splat(1.0F / softcap)));
    }
  }
  for (std::int64_t j = 0; j < first; ++j) {
    scores[j] = kNever;
  }
  for (std::int64_t j = last; j < kBlockKeys; ++j) {
    scores[j] = kNever;
  }
  V here = splat(kNever);
  for (int j = 0; j < kBlockKeys; j += kLanes) {
    here = vmax(here, load(scores + j));
  }
  const float highest = largest(here);
  if (highest == kNever) {
    for (int j = 0; j < kBlockKeys; ++j) {
      scores[j] = 0.0F;
    }
    return;
  }
  if (highest > most) {
    const float shrink = most == kNever ? 0.0F : __builtin_expf(most - highest);
    most = highest;
    total *= shrink;
    for (std::int64_t d = 0; d < padded; d += kLanes) {
      store(mixed + d, load(mixed + d) * splat(shrink));
    }
  }
  V sums = splat(0.0F);
  for (int j = 0; j < kBlockKeys; j += kLanes) {
    // exp bounds its argument, so what is not seen is set to zero again
    const V s = load(scores + j);
    const V weight = where_below(s, splat(-3e38F), splat(0.0F), exp(s - splat(most)));
    store(scores + j, weight);
    sums = sums + weight;
  }
  total += sum(sums);
}

CONVERGIO_INLINE const std::uint8_t* row_of(const KeysOrValues& cache, std::int64_t head,
                                            std::int64_t row) {
  return cache.data + head * cache.head_bytes + row * cache.row_bytes;
}

template <Type kType>
static void attend_as(const Attention& a, const AttentionPiece& piece) {
  const std::int64_t group = a.heads / a.kv_heads;
  const std::int64_t rows = (piece.end - piece.begin) * group;
  const std::int64_t padded = attention_width(a.head_dim);
  // not by the rows of this piece: how a prompt is cut must not change its numbers
  const bool direct = a.n * group <= kFewRows && a.head_dim % kLanes == 0;
  float* q = piece.work;
  float* scores = q + rows * a.head_dim;
  float* block = scores + rows * kBlockKeys;  // of keys, and then of values
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(block);
  const std::int64_t out_stride = attention_row(a.head_dim);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t head = piece.head * group + r % group;
    const float* from = a.q + (piece.begin + r / group) * a.q_row + head * a.q_head;
    for (std::int64_t d = 0; d < a.head_dim; ++d) {
      q[r * a.head_dim + d] = from[d] * a.scale;
    }
    float* out = piece.out + r * out_stride;
    for (std::int64_t d = 0; d < padded; ++d) {
      out[d] = 0.0F;
    }
    out[padded] = kNever;
    out[padded + 1] = 0.0F;
  }
  for (std::int64_t from = piece.from; from < piece.to; from += kBlockKeys) {
    const std::int64_t count = piece.to - from < kBlockKeys ? piece.to - from : kBlockKeys;
    const std::uint8_t* keys = row_of(a.keys, piece.head, from);
    const std::uint8_t* values = row_of(a.values, piece.head, from);
    if (direct) {
      score<kType>(rows, q, a.head_dim, keys, a.keys.row_bytes, count, scores);
    } else {
      turn_keys<kType>(keys, a.keys.row_bytes, count, a.head_dim, block);
      product<Type::F32, false>(rows, q, a.head_dim, bytes, kBlockKeys * 4, a.head_dim, scores,
                                kBlockKeys, kBlockKeys, false);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = a.m - a.n + piece.begin + r / group;  // the query's own key
      const std::int64_t oldest = a.window > 0 && at >= a.window ? at - a.window + 1 : 0;
      const std::int64_t first = oldest - from < 0 ? 0 : oldest - from;
      const std::int64_t last = at + 1 - from < count ? at + 1 - from : count;
      float* out = piece.out + r * out_stride;
      soften(scores + r * kBlockKeys, first < kBlockKeys ? first : kBlockKeys, last > 0 ? last : 0,
             a.softcap, out[padded], out[padded + 1], out, padded);
    }
    if (direct) {
      product<kType, true>(rows, scores, kBlockKeys, values, a.values.row_bytes, count, piece.out,
                           out_stride, static_cast<int>(a.head_dim), true);
    } else {
      widen_rows<kType>(values, a.values.row_bytes, count, a.head_dim, padded, block);
      product<Type::F32, false>(rows, scores, kBlockKeys, bytes, padded * 4, count, piece.out,
                                out_stride, static_cast<int>(padded), true);
    }
  }
}

/// Rows [piece.begin, piece.end) of positions, all query heads of KV head `head`, keys
/// [piece.from, piece.to). Writes the mix of values of each row, not yet divided by its sum, and
/// the maximum and the sum: (positions · group, attention_row()) floats at piece.out.
static void attend(const Attention& a, const AttentionPiece& piece) {
  switch (a.keys.type) {
    case Type::F16:
      return attend_as<Type::F16>(a, piece);
    case Type::Bf16:
      return attend_as<Type::Bf16>(a, piece);
    default:
      return attend_as<Type::F32>(a, piece);
  }
}
