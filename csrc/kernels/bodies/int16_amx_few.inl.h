// A few rows of x by AMX: the rows of W are tiles as they lie, once their numbers are bytes, and
// nothing is moved from rows to lanes. One instruction multiplies 16 outputs, 64 inputs deep, by
// the high and the low bytes of all rows of x.
//
// x is laid out to match: for each group, for each four inputs a line of words, the high bytes of
// all rows and then their low ones; scales and sums group by group. What comes after the products,
// and so every number, is as with VNNI.

constexpr int kFewAmxRows = 8;              // of x: a line of their words is a row of a tile
constexpr std::int64_t kFewAmxCols = 2048;  // inputs whose scales and biases are at hand

/// For each group a vector of the scales of 16 outputs, and one of their biases.
struct alignas(64) GroupsOfOutputs {
  float scales[kLanesOut * kFewAmxCols / 32];
  float biases[kLanesOut * kFewAmxCols / 32];
};
static_assert(sizeof(GroupsOfOutputs) <= kInt16Work);

/// Row `row` of x, of at most kFewAmxRows.
static void quantize_few(const Weights& w, const float* x, std::int64_t row, const Int16Rows& out) {
  const __m128i order = order_of(w.bits);
  const auto vectors = static_cast<int>(block_vectors(w.bits));
  const int lanes = w.group / (4 * vectors);
  const auto line = static_cast<std::int64_t>(8 * out.n);
  std::int8_t* at = out.bytes + 4 * row;
  for (std::int64_t g = 0; g < w.cols / w.group; ++g) {
    std::int8_t bytes[2][128];
    quantize_group(x + g * w.group, w.group, bytes[0], bytes[1], out.scales + g * out.n + row,
                   out.sums + g * out.n + row);
    for (int k = 0; k < w.group; k += 16) {
      for (auto& part : bytes) {
        store_16(part + k, _mm_shuffle_epi8(load_16(part + k), order));
      }
    }
    for (int j = 0; j < vectors; ++j) {
      for (int lane = 0; lane < lanes; ++lane) {
        __builtin_memcpy(at, bytes[0] + 4 * (vectors * lane + j), 4);
        __builtin_memcpy(at + line / 2, bytes[1] + 4 * (vectors * lane + j), 4);
        at += line;
      }
    }
  }
}

/// A quarter of a vector.
CONVERGIO_INLINE __m128i quarter_of(__m512i v, int number) {
  return number == 0   ? _mm512_castsi512_si128(v)
         : number == 1 ? _mm512_extracti32x4_epi32(v, 1)
         : number == 2 ? _mm512_extracti32x4_epi32(v, 2)
                       : _mm512_extracti32x4_epi32(v, 3);
}

/// The `part`-th kPart lanes of a vector.
template <int kPart>
CONVERGIO_INLINE void store_part(std::uint8_t* out, __m512i v, int part) {
  if constexpr (kPart == 16) {
    _mm512_storeu_si512(out, v);
  } else if constexpr (kPart == 8) {
    _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(out),
                        part == 0 ? _mm512_castsi512_si256(v) : _mm512_extracti64x4_epi64(v, 1));
  } else if constexpr (kPart == 4) {
    _mm_storeu_si128(reinterpret_cast<__m128i_u*>(out), quarter_of(v, part));
  } else {
    static_assert(kPart == 2);
    const __m128i two = quarter_of(v, part / 2);
    const std::int64_t bytes = part % 2 == 0 ? _mm_cvtsi128_si64(two) : _mm_extract_epi64(two, 1);
    __builtin_memcpy(out, &bytes, sizeof(bytes));
  }
}

/// Where sixteen rows of W lie, from `row` on: those past the last repeat it.
struct SixteenRows {
  CONVERGIO_METHOD SixteenRows(const Weights& w, std::int64_t row, std::int64_t end) {
    for (int i = 0; i < kLanesOut; ++i) {
      const std::int64_t r = row + i < end ? row + i : end - 1;
      at[i] = w.data + r * row_bytes(w);
      group[i] = r * (w.cols / w.group);
    }
  }

  const std::uint8_t* at[kLanesOut];
  std::int64_t group[kLanesOut];  ///< the number of the first one, of the whole matrix
};

/// Sixteen outputs of up to kRows rows of x. Lanes are the rows of x, of kLanes / kRows outputs.
///
/// Inputs are taken by units, what a load or two of each row of W hold. A core has no more than
/// about 16 lines on their way from memory: so each unit asks for the lines of the same inputs of
/// the next rows, and the work on it takes place while these come. Three units are at work at a
/// time, each at another stage, so that none waits for what was just stored.
template <class Number, int kRows, int kGroup>
class FewRows {
 public:
  explicit FewRows(const Int16Rows& x) : x_(x), shapes_(shapes(x.n)) {
    tiles_.use(shapes_);
    // of two vectors of sums one after another, the lanes of the high ones and of the low ones
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    output_ = _mm512_srli_epi32(lane, kRows == 4 ? 2 : 3);
    high_ = _mm512_add_epi32(_mm512_slli_epi32(output_, kRows == 4 ? 3 : 4),
                             _mm512_and_si512(lane, _mm512_set1_epi32(kRows - 1)));
    low_ = _mm512_add_epi32(high_, _mm512_set1_epi32(static_cast<int>(x.n)));
  }

  /// Adds the products of inputs [from, from + cols) to the totals, or begins with them.
  void run(const Weights& w, const SixteenRows& rows, const SixteenRows& next, std::int64_t from,
           std::int64_t cols, GroupsOfOutputs& groups, Ahead& ahead) {
    std::int64_t first[kLanesOut];
    for (int i = 0; i < kLanesOut; ++i) {
      first[i] = rows.group[i] + from / kGroup;
    }
    fill_groups(w, first, cols / kGroup, groups.scales, groups.biases);
    V total[kRows];
    for (int p = 0; p < kRows; ++p) {
      total[p] = from == 0 ? splat(0.0F) : _mm512_load_ps(totals_ + p * kLanes);
    }
    const std::int64_t units = (cols + kUnit - 1) / kUnit;
    for (std::int64_t u = -2; u < units; ++u) {
      if (u + 2 < units) {
        ahead.step();
        fill(rows, next, from + (u + 2) * kUnit, from + cols, bytes_[u & 1]);
      }
      if (u >= -1 && u + 1 < units) {
        multiply(from + (u + 1) * kUnit, from + cols, bytes_[(u + 1) & 1], sums_[(u + 1) & 1]);
      }
      if (u >= 0) {
        add(from + u * kUnit, from + cols, sums_[u & 1], groups, u * kUnit / kGroup, total);
      }
    }
    for (int p = 0; p < kRows; ++p) {
      _mm512_store_ps(totals_ + p * kLanes, total[p]);
    }
  }

  /// Steps of `ahead`.
  static std::int64_t steps(std::int64_t cols) { return (cols + kUnit - 1) / kUnit; }

  /// The totals of the first `outputs` outputs.
  void write(float* y, std::int64_t y_stride, int outputs) const {
    for (std::int64_t i = 0; i < x_.n; ++i) {
      for (int o = 0; o < outputs; ++o) {
        y[i * y_stride + o] = totals_[o * kRows + i];
      }
    }
  }

 private:
  static constexpr int kLoad = 64 * Number::kVectors;  // inputs
  static constexpr int kUnit = kLoad < kGroup ? kGroup : kLoad;
  static_assert(kFewAmxCols % kUnit == 0);
  static constexpr int kGroups = kUnit / kGroup;
  static constexpr int kDepth = kGroup < kAmxDepth ? kGroup : kAmxDepth;
  static constexpr int kInFlight = 4;  // groups
  /// The first tile of each kind.
  enum Tile : int { kSums, kBytes = kSums + kInFlight, kWords = kBytes + 2 };

  /// Sums of 16 outputs: a line an output, the high ones of all rows of x and then the low ones.
  struct alignas(64) Sums {
    std::int32_t line[kLanesOut][2 * kRows];
  };

  static TileShapes shapes(std::int64_t n) {
    const auto line = static_cast<std::uint16_t>(8 * n);
    TileShapes shapes;
    for (int i = 0; i < kInFlight; ++i) {
      shapes.rows[kSums + i] = kLanesOut;
      shapes.row_bytes[kSums + i] = line;
    }
    for (int i = 0; i < 2; ++i) {
      shapes.rows[kBytes + i] = kLanesOut;
      shapes.row_bytes[kBytes + i] = kDepth;
      shapes.rows[kWords + i] = kDepth / 4;
      shapes.row_bytes[kWords + i] = line;
    }
    return shapes;
  }

  /// The numbers of a unit as tiles: for each group, and for each kDepth inputs of it, the bytes of
  /// 16 outputs.
  CONVERGIO_METHOD static void fill(const SixteenRows& rows, const SixteenRows& next,
                                    std::int64_t from, std::int64_t end, std::uint8_t* out) {
    constexpr int kGroupLanes = kGroup / (4 * Number::kVectors);        // of each vector of a load
    constexpr int kPart = kGroupLanes < kLanes ? kGroupLanes : kLanes;  // lanes of a store
    const std::int64_t at = from * Number::kBits / 8;
    const std::int64_t left = (end - from) * Number::kBits / 8;
    for (int i = 0; i < kLanesOut; ++i) {
      for (int byte = 0; byte < kUnit * Number::kBits / 8; byte += 64) {
        __builtin_prefetch(next.at[i] + at + byte, 0, 2);
      }
      std::uint8_t* group = out + i * kDepth;
      for (int load = 0; load < kUnit / kLoad; ++load) {
        __m512i q[Number::kVectors];
        Number::unpack(
            Number::read(rows.at[i] + at + load * Number::kBytes, left - load * Number::kBytes), q);
        for (int part = 0; part < kLanes / kPart; ++part) {
          for (int j = 0; j < Number::kVectors; ++j) {
            const int to = j * kPart * 4;  // bytes into the group
            store_part<kPart>(group + to / kDepth * (kAmxRows * kDepth) + to % kDepth, q[j], part);
          }
          group += kAmxRows * 4 * kPart * Number::kVectors;
        }
      }
    }
  }

  /// The products of a unit, which has no group past input `end`.
  CONVERGIO_METHOD void multiply(std::int64_t from, std::int64_t end, const std::uint8_t* bytes,
                                 Sums* sums) const {
    [&]<int... kNumber>(std::integer_sequence<int, kNumber...>) CONVERGIO_LAMBDA {
      ((from + kNumber * kGroup < end ? multiply_group<kNumber>(from, bytes, sums) : void()), ...);
    }(std::make_integer_sequence<int, kGroups>());
  }
  template <int kNumber>
  CONVERGIO_METHOD void multiply_group(std::int64_t from, const std::uint8_t* bytes,
                                       Sums* sums) const {
    constexpr int kOf = kSums + kNumber % kInFlight;
    constexpr int kTheirBytes = kBytes + kNumber % 2;
    constexpr int kTheirWords = kWords + kNumber % 2;
    zero_tile<kOf>();
    for (int k = kNumber * kGroup; k < (kNumber + 1) * kGroup; k += kDepth) {
      load_tile<kTheirWords>(x_.bytes + (from + k) * 2 * x_.n, 8 * x_.n);
      load_tile<kTheirBytes>(bytes + kAmxRows * k, kDepth);
      add_unsigned_by_signed<kOf, kTheirBytes, kTheirWords>();
    }
    store_tile<kOf>(sums[kNumber].line, sizeof(sums[kNumber].line[0]));
  }

  /// Adds a unit's groups to the totals, the first of which is number `first` of `groups`.
  CONVERGIO_METHOD void add(std::int64_t from, std::int64_t end, const Sums* sums,
                            const GroupsOfOutputs& groups, std::int64_t first,
                            V (&total)[kRows]) const {
    for (int g = 0; g < kGroups && from + g * kGroup < end; ++g) {
      const std::int64_t number = (from / kGroup + g) * x_.n;
      const V x_scale = of_rows(x_.scales + number);
      const V x_sum = of_rows(x_.sums + number);
      const V scales = _mm512_load_ps(groups.scales + (first + g) * kLanesOut);
      const V biases = _mm512_load_ps(groups.biases + (first + g) * kLanesOut);
      const std::int32_t* const of_group = sums[g].line[0];
      for (int p = 0; p < kRows; ++p) {
        const __m512i a = _mm512_load_si512(of_group + (2 * p) * kLanes);
        const __m512i b = _mm512_load_si512(of_group + (2 * p + 1) * kLanes);
        const __m512i products =
            _mm512_add_epi32(_mm512_slli_epi32(_mm512_permutex2var_epi32(a, high_, b), 8),
                             _mm512_permutex2var_epi32(a, low_, b));
        const __m512i outputs = _mm512_add_epi32(output_, _mm512_set1_epi32(p * (kLanes / kRows)));
        total[p] =
            total[p] + group_result(products, _mm512_permutexvar_ps(outputs, scales) * x_scale,
                                    _mm512_permutexvar_ps(outputs, biases), x_sum);
      }
    }
  }

  /// A value of each row of x, in the lanes of every output.
  CONVERGIO_METHOD V of_rows(const float* p) const {
    const auto n = static_cast<__mmask16>(first_lanes(static_cast<int>(x_.n)));
    const __m512 loaded = _mm512_maskz_loadu_ps(n, p);
    return kRows == 4 ? _mm512_broadcast_f32x4(_mm512_castps512_ps128(loaded))
                      : _mm512_broadcast_f32x8(_mm512_castps512_ps256(loaded));
  }

  Int16Rows x_;
  TileShapes shapes_;
  Tiles tiles_;
  __m512i output_;
  __m512i high_;
  __m512i low_;
  alignas(64) std::uint8_t bytes_[2][kLanesOut * kUnit];
  Sums sums_[2][kGroups];
  alignas(64) float totals_[kLanesOut * kRows];
};

template <class Number, int kRows, int kGroup>
static void few_matmul_of(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                          std::int64_t begin, std::int64_t end, const RowsAfter& after,
                          GroupsOfOutputs& groups) {
  FewRows<Number, kRows, kGroup> products(x);
  for (std::int64_t row = begin; row < end; row += kLanesOut) {
    const bool is_last = row + kLanesOut >= end;
    const RowsAfter follows = is_last ? after : RowsAfter{&w, row + kLanesOut};
    const SixteenRows rows(w, row, end);
    const SixteenRows next =
        follows.weights == nullptr
            ? rows
            : SixteenRows(*follows.weights, follows.row, is_last ? follows.weights->rows : end);
    for (std::int64_t from = 0; from < w.cols; from += kFewAmxCols) {
      const std::int64_t cols = w.cols - from < kFewAmxCols ? w.cols - from : kFewAmxCols;
      Ahead ahead(products.steps(cols));
      if (from == 0 && follows.weights != nullptr) {
        add_groups(ahead, follows, kLanesOut);
      }
      products.run(w, rows, next, from, cols, groups, ahead);
    }
    const auto outputs = static_cast<int>(end - row < kLanesOut ? end - row : kLanesOut);
    products.write(y + (row - begin), y_stride, outputs);
  }
}

/// As int16_matmul, of x as quantize_few lays it out.
static void few_matmul(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                       std::int64_t begin, std::int64_t end, const RowsAfter& after, void* work) {
  with_int16_number(w, [&]<class Number>() CONVERGIO_LAMBDA {
    const auto with_group = [&]<int kGroup>() CONVERGIO_LAMBDA {
      (x.n <= 4 ? few_matmul_of<Number, 4, kGroup>
                : few_matmul_of<Number, 8, kGroup>)(w, x, y, y_stride, begin, end, after,
                                                    *static_cast<GroupsOfOutputs*>(work));
    };
    if (w.group == 32) {
      with_group.template operator()<32>();
    } else if (w.group == 64) {
      with_group.template operator()<64>();
    } else {
      with_group.template operator()<128>();
    }
  });
}
