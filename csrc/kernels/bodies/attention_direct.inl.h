// Attention of a few query rows takes keys and values as a cache has them: to transpose and
// widen a block, as for many rows, would cost more than its products.

/// Prefetches `bytes` of the row that stands a block after this one, for the second-level cache:
/// the processor itself does not look past a page. The address may lie past the end.
CONVERGIO_INLINE void prefetch_next_block(const std::uint8_t* row, std::int64_t apart,
                                          std::int64_t bytes) {
  for (std::int64_t at = 0; at < bytes; at += 64) {
    __builtin_prefetch(row + kAttentionKeys * apart + at, 0, 2);
  }
}

/// Scores of kRows rows and kKeys keys of `width` numbers.
template <Type kType, int kRows, int kKeys>
CONVERGIO_INLINE void score_tile(const float* q, std::int64_t width, const std::uint8_t* keys,
                                 std::int64_t key_bytes, float* scores) {
  constexpr std::int64_t kSize = type_bytes(kType);
  constexpr int kSums = (kRows * kKeys + kLanes - 1) / kLanes * kLanes;
  V acc[kSums];
  for (V& a : acc) {
    a = splat(0.0F);
  }
  for (std::int64_t d = 0; d < width; d += kLanes) {
    V qd[kRows];
    for (int r = 0; r < kRows; ++r) {
      qd[r] = load(q + r * width + d);
    }
    const std::uint8_t* key = keys + d * kSize;
    for (int i = 0; i < kKeys; ++i, key += key_bytes) {
      const V k = load_as<kType>(key);
      for (int r = 0; r < kRows; ++r) {
        acc[r * kKeys + i] = fma(qd[r], k, acc[r * kKeys + i]);
      }
    }
  }
  float sums[kSums];
  for (int i = 0; i < kSums; i += kLanes) {
    store(sums + i, sums_of(acc + i));
  }
  for (int r = 0; r < kRows; ++r) {
    __builtin_memcpy(scores + r * kAttentionKeys, sums + r * kKeys, kKeys * sizeof(float));
  }
}

template <Type kType, int kRows>
CONVERGIO_INLINE void score_rows(const float* q, std::int64_t width, const std::uint8_t* keys,
                                 std::int64_t key_bytes, std::int64_t count, float* scores) {
  // as many sums as there are registers for
  constexpr int kKeys = (kLanes == 8 ? 8 : 16) / (kRows == 3 ? 4 : kRows);
  std::int64_t j = 0;
  for (; j + kKeys <= count; j += kKeys) {
    for (int i = 0; i < kKeys; ++i) {
      prefetch_next_block(keys + (j + i) * key_bytes, key_bytes, width * type_bytes(kType));
    }
    score_tile<kType, kRows, kKeys>(q, width, keys + j * key_bytes, key_bytes, scores + j);
  }
  for (; j < count; ++j) {
    score_tile<kType, kRows, 1>(q, width, keys + j * key_bytes, key_bytes, scores + j);
  }
}

/// scores (rows, kAttentionKeys) = q (rows, width) · keysᵀ for `count` keys.
template <Type kType>
CONVERGIO_INLINE void score(std::int64_t rows, const float* q, std::int64_t width,
                            const std::uint8_t* keys, std::int64_t key_bytes, std::int64_t count,
                            float* scores) {
  for_row_tiles<4, 3, 2, 1>(rows, [&]<int kRows>(std::int64_t r) CONVERGIO_LAMBDA {
    score_rows<kType, kRows>(q + r * width, width, keys, key_bytes, count,
                             scores + r * kAttentionKeys);
  });
}
