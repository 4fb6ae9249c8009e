// y = x · Wᵀ where the width of a number divides 32: 2, 4 and 8 bits.
//
// A vector of packed words is taken as it lies: lane l holds kFields numbers that follow each
// other. Masking field j out and converting it gives field j of every lane, so x is prepacked to
// match: for each block of kLanes words, for each field j, item l · kFields + j of x. A mask leaves
// the field where it is, a power of two too large; that is taken out of x instead.
//
// y = Σ over groups of scale · Σ q·x + bias · Σ x: the sums of x are part of what is prepacked.
//
// For a few rows of x the words are unpacked where they meet them; for many, sixteen rows of W are
// unpacked once, laid out alike. A lane's sum goes through the same steps in both.

template <int kFieldBits>
struct AffineWords {
  static constexpr int kBits = kFieldBits;
  template <int kField>
  CONVERGIO_METHOD static V field(Words v) {
    return field_of<kBits, kField>(v);
  }
  static constexpr float factor(int field) { return field_factor(kBits, field); }
};

struct E2m1Words {
  static constexpr int kBits = 4;
  template <int kField>
  CONVERGIO_METHOD static V field(Words v) {
    return e2m1_field<kField>(v);
  }
  static constexpr float factor(int) { return 1.0F; }
};

/// Items of x in one block.
constexpr std::int64_t block_items(int bits) { return kLanes * (32 / bits); }

/// The prepacked items of a row of x, before its sums.
CONVERGIO_INLINE std::int64_t prepacked_items(const Weights& w) {
  return round_up(w.cols, block_items(w.bits));
}

static bool is_packed_words(const Weights& w) {
  return w.format == Format::Mxfp4 || w.format == Format::Nvfp4 ||
         (w.format == Format::Affine && 32 % w.bits == 0);
}

static std::int64_t prepacked_floats(const Weights& w) {
  return is_packed_words(w)
             ? round_up(prepacked_items(w) + round_up(w.cols / w.group, kGroupsAtOnce), 16)
             : 0;
}

template <class Number>
CONVERGIO_INLINE void prepack_as(const Weights& w, const float* x, float* out) {
  constexpr int kFields = 32 / Number::kBits;
  const std::int64_t padded = prepacked_items(w);
  for (std::int64_t block = 0; block < padded; block += kLanes * kFields) {
    const std::int64_t left = w.cols - block;
    for (int j = 0; j < kFields; ++j) {
      const float factor = Number::factor(j);
      for (int l = 0; l < kLanes; ++l) {
        const int k = l * kFields + j;
        out[j * kLanes + l] = k < left ? x[block + k] * factor : 0.0F;
      }
    }
    out += kLanes * kFields;
  }
  const std::int64_t groups = w.cols / w.group;
  for (std::int64_t g = 0; g < round_up(groups, kGroupsAtOnce); ++g) {
    float total = 0.0F;
    for (std::int64_t k = g * w.group; g < groups && k < (g + 1) * w.group; ++k) {
      total += x[k];
    }
    out[g] = total;
  }
}

static void prepack(const Weights& w, const float* x, float* out) {
  if (w.format != Format::Affine) {
    prepack_as<E2m1Words>(w, x, out);
  } else if (w.bits == 2) {
    prepack_as<AffineWords<2>>(w, x, out);
  } else if (w.bits == 4) {
    prepack_as<AffineWords<4>>(w, x, out);
  } else {
    prepack_as<AffineWords<8>>(w, x, out);
  }
}

template <class Number, int kRows, int kField>
CONVERGIO_INLINE void add_fields(Words v, const float* x, std::int64_t x_stride, V* dots) {
  if constexpr (kField < 32 / Number::kBits) {
    const V q = Number::template field<kField>(v);
    for (int i = 0; i < kRows; ++i) {
      const V xi = load(x + i * x_stride + kField * kLanes);
      dots[i] = kField == 0 ? q * xi : fma(q, xi, dots[i]);
    }
    add_fields<Number, kRows, kField + 1>(v, x, x_stride, dots);
  }
}

/// kWords: the words of one group.
template <class Number, int kWords, int kRows>
CONVERGIO_INLINE void add_words(Words v, const Groups& scales, int first, const float* x,
                                std::int64_t x_stride, V* total) {
  V dots[kRows];
  add_fields<Number, kRows, 0>(v, x, x_stride, dots);
  const V scale = repeat<kWords>(scales, first);
  for (int i = 0; i < kRows; ++i) {
    total[i] = fma(dots[i], scale, total[i]);
  }
}

template <class Number, int kWords, int kRows>
CONVERGIO_INLINE void packed_row_dot(const Weights& w, std::int64_t row, const float* x,
                                     std::int64_t x_stride, float* y, std::int64_t y_stride) {
  constexpr int kItems = kLanes * (32 / Number::kBits);
  constexpr int kBlocks = kGroupsAtOnce * kWords / kLanes;  // for so many groups
  static_assert(kGroupsAtOnce * kWords % kLanes == 0);
  Groups scales;
  V total[kRows];
  for (int i = 0; i < kRows; ++i) {
    total[i] = splat(0.0F);
  }
  const bool affine = w.format == Format::Affine;
  const std::int64_t groups = w.cols / w.group;
  const float* sums = x + prepacked_items(w);
  const std::uint8_t* p = w.data + row * row_bytes(w);
  for (std::int64_t g = 0; g < groups; g += kGroupsAtOnce) {
    const int count = static_cast<int>(groups - g < kGroupsAtOnce ? groups - g : kGroupsAtOnce);
    const std::int64_t group = row * groups + g;
    for (int s = 0; s < kGroupsAtOnce; s += kLanes) {
      set(scales, s, scales_of(w, group + s, count - s));
      if (affine) {
        const V bias = biases_of(w, group + s, count - s);
        for (int i = 0; i < kRows; ++i) {
          total[i] = fma(bias, load(sums + i * x_stride + g + s), total[i]);
        }
      }
    }
    if (count == kGroupsAtOnce) {
      for (int b = 0; b < kBlocks; ++b) {
        prefetch_ahead(p + b * 4 * kLanes);
        add_words<Number, kWords, kRows>(load_words(p + b * 4 * kLanes), scales,
                                         b * kLanes / kWords, x + b * kItems, x_stride, total);
      }
      p += kBlocks * 4 * kLanes;
      x += kBlocks * kItems;
    } else {
      for (int left = count * kWords; left > 0; left -= kLanes) {
        add_words<Number, kWords, kRows>(load_words(p, left), scales,
                                         (count * kWords - left) / kWords, x, x_stride, total);
        p += 4 * kLanes;
        x += kItems;
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    y[i * y_stride] = sum(total[i]);
  }
}

/// Calls f.run<Number, words of a group>() for the format of `w`.
template <class F>
CONVERGIO_INLINE void with_packed_words(const Weights& w, const F& f) {
  const auto of_bits = [&]<int kBits>() CONVERGIO_LAMBDA {
    using Number = AffineWords<kBits>;
    if (w.group == 32) {
      f.template run<Number, kBits>();
    } else if (w.group == 64) {
      f.template run<Number, 2 * kBits>();
    } else {
      f.template run<Number, 4 * kBits>();
    }
  };
  if (w.format == Format::Mxfp4) {
    f.template run<E2m1Words, 4>();
  } else if (w.format == Format::Nvfp4) {
    f.template run<E2m1Words, 2>();
  } else if (w.bits == 2) {
    of_bits.template operator()<2>();
  } else if (w.bits == 4) {
    of_bits.template operator()<4>();
  } else {
    of_bits.template operator()<8>();
  }
}

struct PackedGemv {
  const Weights& w;
  const LinearPiece& piece;
  template <class Number, int kWords>
  CONVERGIO_METHOD void run() const {
    const std::int64_t ahead = rows_ahead(w);
    const std::int64_t groups = w.cols / w.group;
    for_row_tiles<4, 3, 2, 1>(piece.n, [&]<int kRows>(std::int64_t i) CONVERGIO_LAMBDA {
      const float* x = piece.x + i * piece.x_stride;
      float* y = piece.y + i * piece.y_stride;
      for (std::int64_t row = piece.begin; row < piece.end; ++row) {
        prefetch_groups(w, row + ahead, groups);
        packed_row_dot<Number, kWords, kRows>(w, row, x, piece.x_stride, y + (row - piece.begin),
                                              piece.y_stride);
      }
    });
  }
};
