// y = x · Wᵀ for a few rows of x in 16 bits: AVX-512 VNNI and VBMI. Half the work of turning W's
// numbers into floats, which leaves the memory as the limit of one row.
//
// A block is what a load of W unpacks to: kVectors vectors of 64 bytes, of which lane l holds items
// of one stretch of x. x is prepacked to match: for each block the high bytes, then the low.

constexpr int kMostRows = 2;            // of x at a time
constexpr int kOutputRows = 16;         // of W, whose groups' results are added up together
constexpr std::int64_t kResults = 256;  // of one of these rows at a time: 16 KB of all

/// Short rows of W whose groups are not whole sixteens: so many of them, one after another in
/// memory, that they are. They are read as one row, by as many copies of x.
CONVERGIO_INLINE std::int64_t rows_in_one(const Weights& w) {
  constexpr std::int64_t kMost = 8;
  constexpr std::int64_t kMostGroups = kResults / kMostRows;  // longer rows waste little
  const std::int64_t groups = w.cols / w.group;
  if (w.cols % (64 * block_vectors(w.bits)) == 0) {
    for (std::int64_t count = 1; count <= kMost && count * groups <= kMostGroups; count *= 2) {
      if (count * groups % kGroupsAtOnce == 0) {
        return count;
      }
    }
  }
  return 1;
}

/// The rows of W from `row` on, `count` of them to one.
CONVERGIO_INLINE Weights in_one(Weights w, std::int64_t row, std::int64_t count) {
  const std::int64_t groups = w.cols / w.group * group_bytes(w);
  w.data += row * row_bytes(w);
  w.scales += row * groups;
  w.biases += w.biases == nullptr ? 0 : row * groups;
  w.rows = (w.rows - row) / count;
  w.cols *= count;
  return w;
}

/// A row of x, prepacked: the high and low bytes, and a scale and a sum for each group, as often as
/// W has rows in one.
struct PackedRow {
  CONVERGIO_METHOD PackedRow(const Weights& w, std::int64_t copies)
      : bytes(2 * round_up(copies * w.cols, 64 * block_vectors(w.bits))),
        groups(round_up(copies * (w.cols / w.group), kGroupsAtOnce)) {}
  CONVERGIO_METHOD std::int64_t floats() const { return round_up(bytes / 4 + 2 * groups, 16); }

  std::int64_t bytes;
  std::int64_t groups;  ///< with those that fill the last sixteen
};

static std::int64_t int16_floats(const Weights& w) { return PackedRow(w, rows_in_one(w)).floats(); }

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
  const std::int64_t copies = rows_in_one(w);
  const PackedRow row(w, copies);
  const std::int64_t vectors = block_vectors(w.bits);
  auto* bytes = reinterpret_cast<std::int8_t*>(out);
  float* scales = out + row.bytes / 4;
  float* sums = scales + row.groups;
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
  for (std::int64_t copy = 1; copy < copies; ++copy) {
    __builtin_memcpy(bytes + (copy - 1) * 2 * w.cols, out, static_cast<std::size_t>(2 * w.cols));
  }
  for (const std::int64_t first = g; g < row.groups; ++g) {
    scales[g] = copies > 1 ? scales[g - first] : 0.0F;
    sums[g] = copies > 1 ? sums[g - first] : 0.0F;
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

/// Prepacked rows of x, `stride` floats apart.
struct PackedRows {
  const float* bytes;
  const float* scales;
  const float* sums;
  std::int64_t stride;
  int n;
};

/// What each of the groups [first, last) of a row of W adds to its output of n rows of x: those of
/// row i to out + i · out_stride.
template <class Number, int kGroupLanes>
CONVERGIO_INLINE void group_results(const Weights& w, std::int64_t row, std::int64_t first,
                                    std::int64_t last, const PackedRows& x, int n, float* out,
                                    std::int64_t out_stride) {
  constexpr int kBytes = kGroupLanes * Number::kBytes;  // of sixteen groups of W
  constexpr int kXBytes = kGroupLanes * 128 * Number::kVectors;
  const bool floats = w.format != Format::Affine;
  const std::int64_t groups = w.cols / w.group;
  const std::uint8_t* p = w.data + row * row_bytes(w) + first / kGroupsAtOnce * kBytes;
  const auto* bytes =
      reinterpret_cast<const std::int8_t*>(x.bytes) + first / kGroupsAtOnce * kXBytes;
  const auto byte_stride = static_cast<std::int64_t>(sizeof(float)) * x.stride;
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
      const std::int64_t at = i * x.stride + g;
      store(out + i * out_stride,
            group_result(sums[i], scale * load(x.scales + at), bias, load(x.sums + at)));
    }
    out += kGroupsAtOnce;
    p += kBytes;
    bytes += kXBytes;
  }
}

/// Up to sixteen rows of W from `row` on, each of which has `in_one` outputs, for one row of x or
/// several. Their groups' results are added with rows as lanes: in the order of groups, as the
/// kernel of more rows adds them.
template <class Number, int kGroup, bool kOneRow>
static void sixteen_rows(const Weights& w, std::int64_t row, int rows, std::int64_t in_one,
                         std::int64_t ahead, const PackedRows& x, float* y, std::int64_t y_stride) {
  constexpr int kGroupLanes = kGroup / (4 * Number::kVectors);
  // no constant where there are two: GCC would unroll them, and run out of registers
  const int n = kOneRow ? 1 : x.n;
  alignas(64) float results[kOutputRows * kResults];
  const std::int64_t groups = round_up(w.cols / kGroup, kGroupsAtOnce);
  const std::int64_t at_once = kResults / n / kGroupsAtOnce * kGroupsAtOnce;
  for (std::int64_t from = 0; from < groups; from += at_once) {
    const std::int64_t to = groups - from < at_once ? groups : from + at_once;
    const std::int64_t row_results = n * (to - from);
    for (int r = 0; r < rows; ++r) {
      if (from == 0) {
        prefetch_groups(w, row + r + ahead, w.cols / kGroup);
      }
      group_results<Number, kGroupLanes>(w, row + r, from, to, x, n, results + r * row_results,
                                         to - from);
    }
    for (int i = 0; i < n; ++i) {
      float* const out = y + i * y_stride;
      const std::int64_t output_groups = w.cols / in_one / kGroup;
      std::int64_t left = output_groups;  // of an output, where a row has several
      std::int64_t output = 0;
      V total = from == 0 || in_one > 1 ? splat(0.0F) : load(out, rows);
      for (std::int64_t g = 0; g < to - from; g += kGroupsAtOnce) {
        V of_rows[kOutputRows];
        for (int r = 0; r < kOutputRows; ++r) {
          of_rows[r] =
              r < rows ? load(results + r * row_results + i * (to - from) + g) : splat(0.0F);
        }
        transpose(of_rows);
        for (const V& group : of_rows) {
          total = total + group;
          if (in_one > 1 && output < in_one && --left == 0) {  // the last sixteen may have more
            alignas(64) float ends[kOutputRows];
            store(ends, total);
            for (int r = 0; r < rows; ++r) {
              out[r * in_one + output] = ends[r];
            }
            ++output;
            left = output_groups;
            total = splat(0.0F);
          }
        }
      }
      if (in_one == 1) {
        store(out, total, rows);
      }
    }
  }
}

template <class Number, int kGroup>
static void int16_gemv_of(const Weights& w, const LinearPiece& piece) {
  const std::int64_t count = rows_in_one(w);
  const PackedRow packed(w, count);
  const Weights rows = in_one(w, piece.begin, count);
  const std::int64_t ahead = rows_ahead(rows);
  const std::int64_t whole = (piece.end - piece.begin) / count;
  const std::int64_t left = (piece.end - piece.begin) % count;
  for_row_tiles<kMostRows, 1>(piece.n, [&]<int kRows>(std::int64_t i) CONVERGIO_LAMBDA {
    const float* bytes = piece.x + i * piece.x_stride;
    const float* scales = bytes + packed.bytes / 4;
    const PackedRows x = {bytes, scales, scales + packed.groups, piece.x_stride, kRows};
    float* const y = piece.y + i * piece.y_stride;
    for (std::int64_t row = 0; row < whole; row += kOutputRows) {
      const auto n = static_cast<int>(whole - row < kOutputRows ? whole - row : kOutputRows);
      sixteen_rows<Number, kGroup, kRows == 1>(rows, row, n, count, ahead, x, y + row * count,
                                               piece.y_stride);
    }
    if (left > 0) {
      sixteen_rows<Number, kGroup, kRows == 1>(in_one(w, piece.end - left, left), 0, 1, left, 0, x,
                                               y + whole * count, piece.y_stride);
    }
  });
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
