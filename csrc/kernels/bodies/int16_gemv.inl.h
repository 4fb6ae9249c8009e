// y = x · Wᵀ for a few rows of x in 16 bits: AVX-512 VNNI and VBMI. Half the work of turning W's
// numbers into floats, which leaves the memory as the limit of one row.
//
// A block is what a load of W unpacks to: kVectors vectors of 64 bytes, of which lane l holds items
// of one stretch of x. x is prepacked to match: for each block the high bytes, then the low.

/// Vectors of unpacked bytes in a block, from the width of a number alone.
constexpr std::int64_t block_vectors(int bits) { return bits == 2 ? 4 : bits == 4 ? 2 : 1; }

/// The high and low bytes of a row of x.
CONVERGIO_INLINE std::int64_t int8_bytes(const Weights& w) {
  return 2 * round_up(w.cols, 64 * block_vectors(w.bits));
}

/// Floats of a prepacked row: its bytes, then a scale and a sum for each group.
static std::int64_t int16_floats(const Weights& w) {
  return round_up(int8_bytes(w) / 4 + 2 * round_up(w.cols / w.group, kGroupsAtOnce), 16);
}

/// Every second byte of two vectors in a row.
CONVERGIO_INLINE __m512i every_second(__m512i a, __m512i b, int first) {
  static constexpr auto kIndex = [] {
    struct {
      std::uint8_t at[64];
    } index = {};
    for (int i = 0; i < 64; ++i) {
      index.at[i] = static_cast<std::uint8_t>(2 * i);
    }
    return index;
  }();
  const __m512i index =
      _mm512_add_epi8(_mm512_loadu_si512(kIndex.at), _mm512_set1_epi8(static_cast<char>(first)));
  return _mm512_permutex2var_epi8(a, index, b);
}

/// Bytes in the order of x to the order of a block of `vectors`.
CONVERGIO_INLINE void deal(const std::int8_t* in, std::int64_t vectors, std::int8_t* out) {
  __m512i v[4];
  for (int i = 0; i < vectors; ++i) {
    v[i] = _mm512_loadu_si512(in + 64 * i);
  }
  if (vectors == 2) {
    _mm512_storeu_si512(out, every_second(v[0], v[1], 0));
    _mm512_storeu_si512(out + 64, every_second(v[0], v[1], 1));
  } else if (vectors == 4) {
    for (int i = 0; i < 2; ++i) {
      const __m512i a = every_second(v[0], v[1], i);
      const __m512i b = every_second(v[2], v[3], i);
      _mm512_storeu_si512(out + 64 * i, every_second(a, b, 0));
      _mm512_storeu_si512(out + 64 * (i + 2), every_second(a, b, 1));
    }
  } else {
    _mm512_storeu_si512(out, v[0]);
  }
}

static void int16_prepack(const Weights& w, const float* x, float* out) {
  constexpr std::int64_t kStretch = 256;  // a multiple of every block and every group
  const std::int64_t vectors = block_vectors(w.bits);
  const std::int64_t groups = w.cols / w.group;
  auto* bytes = reinterpret_cast<std::int8_t*>(out);
  float* scales = out + int8_bytes(w) / 4;
  float* sums = scales + round_up(groups, kGroupsAtOnce);
  std::int64_t g = 0;
  for (std::int64_t from = 0; from < w.cols; from += kStretch) {
    const std::int64_t count = w.cols - from < kStretch ? w.cols - from : kStretch;
    std::int8_t high[kStretch] = {};
    std::int8_t low[kStretch] = {};
    for (std::int64_t k = 0; k < count; k += w.group) {
      quantize_group(x + from + k, w.group, high + k, low + k, scales + g, sums + g);
      ++g;
    }
    for (std::int64_t k = 0; k < count; k += 64 * vectors) {
      deal(high + k, vectors, bytes);
      deal(low + k, vectors, bytes + 64 * vectors);
      bytes += 128 * vectors;
    }
  }
  for (; g < round_up(groups, kGroupsAtOnce); ++g) {
    scales[g] = 0.0F;
    sums[g] = 0.0F;
  }
}

/// For each 128 bits of a vector, the sums of four lanes: item 4p + r is part p of v[r].
CONVERGIO_INLINE __m512i sum_quads(const __m512i* v) {
  const __m512i a =
      _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
  const __m512i b =
      _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

/// Neighbouring 128-bit parts of two vectors, added: those of a, then those of b.
CONVERGIO_INLINE __m512i sum_parts(__m512i a, __m512i b) {
  return _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

/// The dot products of sixteen groups from those of the lanes of their blocks, where a group takes
/// kGroupLanes lanes: whole numbers, so that the order of adding them does not matter. v[0] is
/// lane-wise the first block where kGroupLanes is 2, else item q is sum_quads of blocks 4q … 4q
/// + 3.
template <int kGroupLanes>
CONVERGIO_INLINE __m512i group_sums(const __m512i* v) {
  if constexpr (kGroupLanes == 2) {
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_permutex2var_epi32(v[0], even, v[1]),
                            _mm512_permutex2var_epi32(v[0], odd, v[1]));
  } else if constexpr (kGroupLanes == 4) {
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), v[0]);
  } else if constexpr (kGroupLanes == 8) {
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15),
        sum_parts(v[0], v[1]));
  } else if constexpr (kGroupLanes == 16) {
    return sum_parts(sum_parts(v[0], v[1]), sum_parts(v[2], v[3]));
  } else {
    static_assert(kGroupLanes == 32);
    const __m512i two[2] = {group_sums<16>(v), group_sums<16>(v + 4)};
    return group_sums<2>(two);
  }
}

/// The products of one block of W and one of x, four or more a lane.
template <int kVectors>
CONVERGIO_INLINE __m512i block_dots(const __m512i* q, const std::int8_t* x) {
  __m512i high = _mm512_setzero_si512();
  __m512i low = _mm512_setzero_si512();
  for (int j = 0; j < kVectors; ++j) {
    high = _mm512_dpbusd_epi32(high, q[j], _mm512_loadu_si512(x + 64 * j));
    low = _mm512_dpbusd_epi32(low, q[j], _mm512_loadu_si512(x + 64 * (kVectors + j)));
  }
  return _mm512_add_epi32(_mm512_slli_epi32(high, 8), low);
}

constexpr int kMostRows = kFewInt16Rows;  // of x at a time

/// The dot products of sixteen groups of a row of W and n rows of x, `x_stride` bytes apart: those
/// of row i to sums[i]. W is unpacked once for all of them. kTail: W ends after `left` bytes.
template <class Number, int kGroupLanes, bool kTail>
CONVERGIO_INLINE void sixteen_groups(const std::uint8_t* p, int left, const std::int8_t* x,
                                     std::int64_t x_stride, int n, __m512i* sums) {
  constexpr int kVectors = Number::kVectors;
  constexpr int kXBytes = 128 * kVectors;         // of a block
  constexpr int kSet = kGroupLanes == 2 ? 2 : 4;  // blocks whose lanes are added up at once
  constexpr int kSets = kGroupLanes / kSet;
  __m512i parts[kMostRows][kSets == 1 ? 2 : kSets];
  for (int s = 0; s < kSets; ++s) {
    __m512i q[kSet][kVectors];
    const auto left_of = [&](int b) CONVERGIO_LAMBDA {
      return kTail ? left - (s * kSet + b) * Number::kBytes : 64;
    };
    for (int b = 0; b < kSet && left_of(b) > 0; ++b) {
      const std::uint8_t* const at = p + (s * kSet + b) * Number::kBytes;
      if constexpr (!kTail) {
        prefetch_ahead(at);
      }
      Number::unpack(Number::read(at, left_of(b)), q[b]);
    }
    for (int i = 0; i < n; ++i) {
      __m512i dots[kSet];
      for (int b = 0; b < kSet; ++b) {
        dots[b] = left_of(b) > 0
                      ? block_dots<kVectors>(q[b], x + i * x_stride + (s * kSet + b) * kXBytes)
                      : _mm512_setzero_si512();
      }
      if constexpr (kGroupLanes == 2) {
        parts[i][0] = dots[0];
        parts[i][1] = dots[1];
      } else {
        parts[i][s] = sum_quads(dots);
      }
    }
  }
  for (int i = 0; i < n; ++i) {
    sums[i] = group_sums<kGroupLanes>(parts[i]);
  }
}

constexpr int kOutputRows = 16;  // of W, whose groups' results are added up together

/// What each of the groups [first, last) of a row of W adds to its output of n rows of x: those of
/// row i to out + i · out_stride.
template <class Number, int kGroupLanes>
CONVERGIO_INLINE void group_results(const Weights& w, std::int64_t row, std::int64_t first,
                                    std::int64_t last, const float* x, std::int64_t x_stride, int n,
                                    float* out, std::int64_t out_stride) {
  constexpr int kBytes = kGroupLanes * Number::kBytes;  // of sixteen groups of W
  constexpr int kXBytes = kGroupLanes * 128 * Number::kVectors;
  const bool floats = w.format != Format::Affine;
  const std::int64_t groups = w.cols / w.group;
  const float* x_scales = x + int8_bytes(w) / 4;
  const float* x_sums = x_scales + round_up(groups, kGroupsAtOnce);
  const std::uint8_t* p = w.data + row * row_bytes(w) + first / kGroupsAtOnce * kBytes;
  const auto* bytes = reinterpret_cast<const std::int8_t*>(x) + first / kGroupsAtOnce * kXBytes;
  const auto byte_stride = static_cast<std::int64_t>(sizeof(float)) * x_stride;
  for (std::int64_t g = first; g < last; g += kGroupsAtOnce) {
    const int count = static_cast<int>(groups - g < kGroupsAtOnce ? groups - g : kGroupsAtOnce);
    const V own = scales_of(w, row * groups + g, count);
    // 4-bit floats are bytes 2 · value + 12
    const V scale = floats ? own * splat(0.5F) : own;
    const V bias = floats ? own * splat(-6.0F) : biases_of(w, row * groups + g, count);
    const auto left = static_cast<int>(row_bytes(w) - g / kGroupsAtOnce * kBytes);
    __m512i sums[kMostRows];
    if (count == kGroupsAtOnce) {
      sixteen_groups<Number, kGroupLanes, false>(p, 0, bytes, byte_stride, n, sums);
    } else {
      sixteen_groups<Number, kGroupLanes, true>(p, left, bytes, byte_stride, n, sums);
    }
    for (int i = 0; i < n; ++i) {
      const std::int64_t at = i * x_stride + g;
      store(out + i * out_stride,
            group_result(sums[i], scale * load(x_scales + at), bias, load(x_sums + at)));
    }
    out += kGroupsAtOnce;
    p += kBytes;
    bytes += kXBytes;
  }
}

/// n rows of x. Sixteen rows of W at a time, so that their groups' results can be added with rows
/// as lanes: in the order of groups, as the kernel of more rows adds them.
template <class Number, int kGroup>
CONVERGIO_INLINE void int16_rows(const Weights& w, const LinearPiece& piece, const float* x,
                                 float* y, int n) {
  constexpr int kGroupLanes = kGroup / (4 * Number::kVectors);
  constexpr int kResults = 256;  // of a row of W at a time: 16 KB
  alignas(64) float results[kOutputRows * kResults];
  const std::int64_t groups = round_up(w.cols / kGroup, kGroupsAtOnce);
  const std::int64_t ahead = rows_ahead(w);
  const std::int64_t at_once = kResults / n / kGroupsAtOnce * kGroupsAtOnce;
  for (std::int64_t row = piece.begin; row < piece.end; row += kOutputRows) {
    const int rows =
        static_cast<int>(piece.end - row < kOutputRows ? piece.end - row : kOutputRows);
    float* const out = y + (row - piece.begin);
    for (std::int64_t from = 0; from < groups; from += at_once) {
      const std::int64_t to = groups - from < at_once ? groups : from + at_once;
      const std::int64_t row_results = n * (to - from);
      for (int r = 0; r < rows; ++r) {
        if (from == 0) {
          prefetch_groups(w, row + r + ahead, w.cols / kGroup);
        }
        group_results<Number, kGroupLanes>(w, row + r, from, to, x, piece.x_stride, n,
                                           results + r * row_results, to - from);
      }
      for (int i = 0; i < n; ++i) {
        V total = from == 0 ? splat(0.0F) : load(out + i * piece.y_stride, rows);
        for (std::int64_t g = 0; g < to - from; g += kGroupsAtOnce) {
          V of_rows[kOutputRows];
          for (int r = 0; r < kOutputRows; ++r) {
            of_rows[r] =
                r < rows ? load(results + r * row_results + i * (to - from) + g) : splat(0.0F);
          }
          transpose(of_rows);
          for (const V& group : of_rows) {
            total = total + group;
          }
        }
        store(out + i * piece.y_stride, total, rows);
      }
    }
  }
}

template <class Number, int kGroup>
static void int16_gemv_of(const Weights& w, const LinearPiece& piece) {
  if (piece.n == 1) {
    return int16_rows<Number, kGroup>(w, piece, piece.x, piece.y, 1);
  }
  for (std::int64_t i = 0; i < piece.n; i += kMostRows) {
    const int n = static_cast<int>(piece.n - i < kMostRows ? piece.n - i : kMostRows);
    int16_rows<Number, kGroup>(w, piece, piece.x + i * piece.x_stride, piece.y + i * piece.y_stride,
                               n);
  }
}

/// piece.x is prepacked by int16_prepack.
static void int16_gemv(const Weights& w, const LinearPiece& piece) {
  if (w.format == Format::Nvfp4) {
    return int16_gemv_of<WordFields<4, true>, 16>(w, piece);
  }
  with_int16_number(w, [&]<class Number>() CONVERGIO_LAMBDA {
    if (w.group == 32) {
      int16_gemv_of<Number, 32>(w, piece);
    } else if (w.group == 64) {
      int16_gemv_of<Number, 64>(w, piece);
    } else {
      int16_gemv_of<Number, 128>(w, piece);
    }
  });
}
