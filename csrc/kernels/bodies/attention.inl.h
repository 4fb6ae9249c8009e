// Attention of some query rows over a range of keys, one block of keys at a time, with the softmax
// carried along (Milakov and Gimelshein 2018; Dao et al. 2022), so that scores are never kept.
// The query heads of one KV head, and several positions, are taken together: rows of a small
// matrix. For many rows a block of keys is transposed so that its keys are lanes.
//
// A row's numbers do not depend on the other rows of its tile or on where its keys lie: blocks
// begin at multiples of kBlockKeys in the sequence, a key that a row does not see has weight 0 and
// adds 0 exactly, and both ways to score add the products of a key in the order of sums_of.

constexpr int kBlockKeys = static_cast<int>(kAttentionKeys);
constexpr float kNever = -__builtin_inff();
constexpr std::int64_t kDirectRows =
    8;  // of queries over one KV head, at most, to read keys in place

/// c (kRows, kVectors · kLanes) += a (kRows, depth) · b (depth, kVectors · kLanes). kAhead: b goes
/// on beyond this block, and comes from memory.
template <Type kType, bool kAhead, int kRows, int kVectors>
CONVERGIO_INLINE void product_tile(const float* a, std::int64_t a_stride, const std::uint8_t* b,
                                   std::int64_t b_bytes, std::int64_t depth, float* c,
                                   std::int64_t c_stride) {
  V acc[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      acc[i][v] = load(c + i * c_stride + v * kLanes);
    }
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    if constexpr (kAhead) {
      prefetch_next_block(b + k * b_bytes, b_bytes, kVectors * kLanes * type_bytes(kType));
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
                                   std::int64_t c_stride, int width) {
  constexpr int kVectors = kLanes == 8 ? 2 : 4;
  int j = 0;
  for (; j + kVectors * kLanes <= width; j += kVectors * kLanes) {
    product_tile<kType, kAhead, kRows, kVectors>(a, a_stride, b + j * type_bytes(kType), b_bytes,
                                                 depth, c + j, c_stride);
  }
  for (; j < width; j += kLanes) {
    product_tile<kType, kAhead, kRows, 1>(a, a_stride, b + j * type_bytes(kType), b_bytes, depth,
                                          c + j, c_stride);
  }
}

/// `width` is a multiple of kLanes.
template <Type kType, bool kAhead>
static void product(std::int64_t rows, const float* a, std::int64_t a_stride, const std::uint8_t* b,
                    std::int64_t b_bytes, std::int64_t depth, float* c, std::int64_t c_stride,
                    int width) {
  for_row_tiles<5, 4, 3, 2, 1>(rows, [&]<int kRows>(std::int64_t i) CONVERGIO_LAMBDA {
    product_rows<kType, kAhead, kRows>(a + i * a_stride, a_stride, b, b_bytes, depth,
                                       c + i * c_stride, c_stride, width);
  });
}

/// Keys that some rows are scored against: [begin, end) of the block that begins at `position` of
/// the sequence.
struct KeyBlock {
  std::int64_t position;
  std::int64_t begin;
  std::int64_t end;
  const std::uint8_t* keys;    ///< of key `begin`
  const std::uint8_t* values;  ///< likewise
};

/// Its keys, key_dim numbers each, to (key_dim, kBlockKeys) floats, zero where it has none.
template <Type kType>
CONVERGIO_INLINE void transpose_keys(const KeyBlock& block, std::int64_t stride_bytes,
                                     std::int64_t key_dim, float* out) {
  constexpr std::int64_t kSize = type_bytes(kType);
  for (std::int64_t j = 0; j < kBlockKeys; j += kLanes) {
    for (std::int64_t d = 0; d < key_dim; d += kLanes) {
      const int dims = static_cast<int>(key_dim - d < kLanes ? key_dim - d : kLanes);
      V r[kLanes];
      for (int i = 0; i < kLanes; ++i) {
        r[i] = j + i >= block.begin && j + i < block.end
                   ? load_as<kType>(block.keys + (j + i - block.begin) * stride_bytes + d * kSize,
                                    dims)
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

/// Scores of kRows rows and kVectors · kLanes transposed keys. The numbers d of a key with the same
/// d % kLanes are a chain, as in a lane of score_tile; the chains' sums are added as sums_of adds
/// lanes: two by two, each result with the one before it of the same size.
template <int kRows, int kVectors>
CONVERGIO_INLINE void transposed_tile(const float* q, std::int64_t key_dim, const float* keys,
                                      float* scores) {
  V sizes[6][kRows][kVectors];  // of 1, 2, 4, … chains
  V acc[kRows][kVectors];
  for (int chain = 0; chain < kLanes; ++chain) {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = splat(0.0F);
      }
    }
    for (std::int64_t d = sum_order(chain); d < key_dim; d += kLanes) {
      V k[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        k[v] = in_register(load(keys + d * kBlockKeys + v * kLanes));
      }
      for (int r = 0; r < kRows; ++r) {
        const V qd = splat(q[r * key_dim + d]);
        for (int v = 0; v < kVectors; ++v) {
          acc[r][v] = fma(qd, k[v], acc[r][v]);
        }
      }
    }
    int size = 0;
    for (; (chain >> size & 1) != 0; ++size) {
      for (int r = 0; r < kRows; ++r) {
        for (int v = 0; v < kVectors; ++v) {
          acc[r][v] = sizes[size][r][v] + acc[r][v];
        }
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        sizes[size][r][v] = acc[r][v];
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      store(scores + r * kBlockKeys + v * kLanes, acc[r][v]);
    }
  }
}

/// scores (rows, kBlockKeys) = q (rows, key_dim) · transposed keys.
static void score_transposed(std::int64_t rows, const float* q, std::int64_t key_dim,
                             const float* keys, float* scores) {
  constexpr int kVectors = kLanes == 8 ? 2 : 4;
  for_row_tiles<5, 4, 3, 2, 1>(rows, [&]<int kRows>(std::int64_t r) CONVERGIO_LAMBDA {
    for (int j = 0; j < kBlockKeys; j += kVectors * kLanes) {
      transposed_tile<kRows, kVectors>(q + r * key_dim, key_dim, keys + j,
                                       scores + r * kBlockKeys + j);
    }
  });
}

/// The online-softmax update of one row: its scores against a block become weights, and its largest
/// score, total and mix are brought along. Keys [first, last) of the block are seen.
CONVERGIO_INLINE void update_softmax(float* scores, std::int64_t first, std::int64_t last,
                                     float softcap, std::int64_t padded, const PartialRow& row) {
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
  if (highest > *row.highest) {
    const float shrink = *row.highest == kNever ? 0.0F : __builtin_expf(*row.highest - highest);
    *row.highest = highest;
    *row.total *= shrink;
    for (std::int64_t d = 0; d < padded; d += kLanes) {
      store(row.mix + d, load(row.mix + d) * splat(shrink));
    }
  }
  V sums = splat(0.0F);
  for (int j = 0; j < kBlockKeys; j += kLanes) {
    // exp bounds its argument, so what is not seen is set to zero again
    const V s = load(scores + j);
    const V weight = where_below(s, splat(-3e38F), splat(0.0F), exp(s - splat(*row.highest)));
    store(scores + j, weight);
    sums = sums + weight;
  }
  *row.total += sum(sums);
}

CONVERGIO_INLINE const std::uint8_t* row_of(const KeysOrValues& cache, std::int64_t head,
                                            std::int64_t row) {
  return cache.data + head * cache.head_bytes + row * cache.row_bytes;
}

/// The rows of a piece, and what they need while blocks of keys go by.
struct AttentionTile {
  const Attention& a;
  const AttentionPiece& piece;
  std::int64_t group;   ///< query heads of a KV head
  std::int64_t rows;    ///< positions times those
  std::int64_t padded;  ///< floats of a row's mix
  bool direct;          ///< few rows: keys and values are read as the cache has them
  float* q;             ///< (rows, key_dim), scaled
  float* scores;        ///< (rows, kBlockKeys), and then weights
  float* block;         ///< keys or values as floats

  CONVERGIO_METHOD PartialRow row(std::int64_t r) const {
    return partial_row(piece.out, r, a.value_dim);
  }
  /// What query `i` is multiplied by beside the scale.
  CONVERGIO_METHOD float temperature(std::int64_t i) const {
    if (a.temperature_beta == 0.0F) {
      return 1.0F;
    }
    const double position = static_cast<double>(a.first_key + a.m - a.n + i);
    const double periods =
        __builtin_floor((position + a.temperature_offset) / a.temperature_period);
    return 1.0F + a.temperature_beta * static_cast<float>(__builtin_log(1.0 + periods));
  }
  CONVERGIO_METHOD void begin() const {
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t head = piece.head * group + r % group;
      const float* from = a.q + (piece.begin + r / group) * a.q_row + head * a.q_head;
      const float scale = a.scale * temperature(piece.begin + r / group);
      for (std::int64_t d = 0; d < a.key_dim; ++d) {
        q[r * a.key_dim + d] = from[d] * scale;
      }
      for (std::int64_t d = 0; d < padded; ++d) {
        row(r).mix[d] = 0.0F;
      }
      *row(r).highest = kNever;
      *row(r).total = 0.0F;
    }
  }

  /// Queries times keys.
  template <Type kType>
  CONVERGIO_METHOD void score_keys(const KeyBlock& keys) const {
    if (direct) {
      score<kType>(rows, q, a.key_dim, keys.keys, a.keys.row_bytes, keys.end - keys.begin,
                   scores + keys.begin);
    } else {
      transpose_keys<kType>(keys, a.keys.row_bytes, a.key_dim, block);
      score_transposed(rows, q, a.key_dim, block, scores);
    }
  }

  /// Scores to weights.
  CONVERGIO_METHOD void weigh(const KeyBlock& keys) const {
    for (std::int64_t r = 0; r < rows; ++r) {
      // of the query and of the oldest key that it sees
      const std::int64_t at = a.first_key + a.m - a.n + piece.begin + r / group;
      const std::int64_t oldest = formats::oldest_seen(a.reach, at);
      const auto inside = [&](std::int64_t position) CONVERGIO_LAMBDA {
        const std::int64_t j = position - keys.position;
        return j < keys.begin ? keys.begin : j > keys.end ? keys.end : j;
      };
      update_softmax(scores + r * kBlockKeys, inside(oldest), inside(at + 1), a.softcap, padded,
                     row(r));
    }
  }

  /// Weights times values.
  template <Type kType>
  CONVERGIO_METHOD void add_values(const KeyBlock& keys) const {
    const std::int64_t stride = attention_row(a.value_dim);
    const std::int64_t count = keys.end - keys.begin;
    if (direct) {
      product<kType, true>(rows, scores + keys.begin, kBlockKeys, keys.values, a.values.row_bytes,
                           count, piece.out, stride, static_cast<int>(a.value_dim));
    } else {
      widen_rows<kType>(keys.values, a.values.row_bytes, count, a.value_dim, padded, block);
      product<Type::F32, false>(rows, scores + keys.begin, kBlockKeys,
                                reinterpret_cast<const std::uint8_t*>(block), padded * 4, count,
                                piece.out, stride, static_cast<int>(padded));
    }
  }
};

template <Type kType>
static void attend_as(const Attention& a, const AttentionPiece& piece) {
  const std::int64_t group = a.heads / a.kv_heads;
  const std::int64_t rows = (piece.end - piece.begin) * group;
  float* q = piece.work;
  float* scores = q + rows * a.key_dim;
  const AttentionTile tile{
      .a = a,
      .piece = piece,
      .group = group,
      .rows = rows,
      .padded = attention_width(a.value_dim),
      .direct = rows <= kDirectRows && a.key_dim % kLanes == 0 && a.value_dim % kLanes == 0,
      .q = q,
      .scores = scores,
      .block = scores + rows * kBlockKeys};
  tile.begin();
  for (std::int64_t from = piece.from; from < piece.to;) {
    const std::int64_t begin = (a.first_key + from) % kBlockKeys;
    const std::int64_t left = begin + piece.to - from;
    const KeyBlock keys{.position = a.first_key + from - begin,
                        .begin = begin,
                        .end = left < kBlockKeys ? left : kBlockKeys,
                        .keys = row_of(a.keys, piece.head, from),
                        .values = row_of(a.values, piece.head, from)};
    tile.score_keys<kType>(keys);
    tile.weigh(keys);
    tile.add_values<kType>(keys);
    from += keys.end - begin;
  }
}

/// Rows [piece.begin, piece.end) of positions, all query heads of KV head `head`, keys
/// [piece.from, piece.to): a partial row for each position and query head at piece.out.
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

/// The partial result of a row over more keys: `into` has those before, `from` those after.
static void merge_partials(float* into, const float* from, std::int64_t value_dim) {
  const std::int64_t width = attention_width(value_dim);
  const PartialRow row = partial_row(into, 0, value_dim);
  const float highest = from[width];
  const float total = from[width + 1];
  if (highest == kNever) {
    return;
  }
  const float most = highest > *row.highest ? highest : *row.highest;
  const float share = *row.highest == kNever ? 0.0F : __builtin_expf(*row.highest - most);
  const float other = __builtin_expf(highest - most);
  for (std::int64_t d = 0; d < width; d += kLanes) {
    store(row.mix + d, fma(load(from + d), splat(other), load(row.mix + d) * splat(share)));
  }
  *row.total = *row.total * share + total * other;
  *row.highest = most;
}
