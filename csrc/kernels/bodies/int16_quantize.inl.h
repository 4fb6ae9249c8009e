// Many rows of x in 16 bits, laid out by the blocks that panels are deep: AVX-512 VNNI.

/// Where each of sixteen inputs stands: packed words are taken apart by masks, four bytes at a
/// time, not into their order.
CONVERGIO_INLINE __m128i order_of(int bits) {
  return bits == 4   ? _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15)
         : bits == 2 ? _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
                     : _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

CONVERGIO_INLINE __m128i load_16(const std::int8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p));
}
CONVERGIO_INLINE void store_16(std::int8_t* p, __m128i v) {
  _mm_storeu_si128(reinterpret_cast<__m128i_u*>(p), v);
}

static void quantize_block(const Weights& w, const float* x, std::int64_t cols, std::int8_t* out,
                           float* scales, float* sums) {
  const __m128i order = order_of(w.bits);
  for (std::int64_t g = 0; g < cols / w.group; ++g) {
    std::int8_t high[128];
    std::int8_t low[128];
    quantize_group(x, w.group, high, low, scales + g, sums + g);
    for (int k = 0; k < w.group; k += 16) {
      store_16(out + k, _mm_shuffle_epi8(load_16(high + k), order));
      store_16(out + w.group + k, _mm_shuffle_epi8(load_16(low + k), order));
    }
    x += w.group;
    out += 2 * w.group;
  }
}

static void quantize_row(const Weights& w, const float* x, std::int64_t row, const Int16Rows& out) {
  for (std::int64_t from = 0; from < w.cols; from += kInt16Cols) {
    const std::int64_t cols = block_cols(w, from);
    const std::int64_t group = block_at(out, from, w.group) + row * (cols / w.group);
    quantize_block(w, x + from, cols, out.bytes + 2 * (block_at(out, from, 1) + row * cols),
                   out.scales + group, out.sums + group);
  }
}
