// What mixes rows by a state: the gated delta rule, selective state spaces, and the short causal
// convolution before them. A state's rows are side by side in memory and their numbers are lanes;
// some rows of it stay in the first-level cache while all tokens of a piece go through them. A
// token's sums are the same whatever tokens come with it.

/// The rows of a state whose sums are made together, and those whose update is.
constexpr int kStateRows = kLanes < 8 ? 8 : kLanes;
constexpr int kUpdatedRows = kLanes == 4 || kLanes == 16 ? 8 : 4;
constexpr int kLine = 16;  // floats that memory gives at a time

/// How many rows ahead a state is asked for: one token reads it from memory as fast as that gives
/// it, several from the first-level cache.
constexpr std::int64_t rows_ahead(std::int64_t tokens) { return tokens == 1 ? 2 * kStateRows : 0; }

/// Sums over the lanes of kRows vectors; `v` has room for whole vectors of them.
template <int kRows>
CONVERGIO_INLINE void sums_of_rows(V* v, float* sums) {
  for (int r = 0; r < kRows; r += kLanes) {
    for (int i = kRows; i < r + kLanes; ++i) {
      v[i] = splat(0.0F);
    }
    store(sums + r, sums_of(v + r));
  }
}

/// Room for the sums of kRows rows, in whole vectors.
template <int kRows>
constexpr int kSums = (kRows + kLanes - 1) / kLanes * kLanes;

/// sums[r] = s[r] · (k · decay) for kRows rows of `width`; `decay` null for k alone.
template <int kRows>
CONVERGIO_INLINE void dot_rows(const float* s, std::int64_t width, const float* k,
                               const float* decay, float* sums) {
  V acc[kSums<kRows>];
  for (int r = 0; r < kRows; ++r) {
    acc[r] = splat(0.0F);
  }
  std::int64_t j = 0;
  for (; j + kLanes <= width; j += kLanes) {
    const V kj = decay == nullptr ? load(k + j) : load(k + j) * load(decay + j);
    for (int r = 0; r < kRows; ++r) {
      acc[r] = fma(load(s + r * width + j), kj, acc[r]);
    }
  }
  if (j < width) {
    const int n = static_cast<int>(width - j);
    const V kj = decay == nullptr ? load(k + j, n) : load(k + j, n) * load(decay + j, n);
    for (int r = 0; r < kRows; ++r) {
      acc[r] = fma(load(s + r * width + j, n), kj, acc[r]);
    }
  }
  sums_of_rows<kRows>(acc, sums);
}

/// The decay of a state's numbers: one for all, or one for each of a row.
struct OneDecay {
  V all;
  CONVERGIO_METHOD V at(std::int64_t) const { return all; }
  CONVERGIO_METHOD V at(std::int64_t, int) const { return all; }
};
struct DecayByNumber {
  const float* decay;
  CONVERGIO_METHOD V at(std::int64_t j) const { return load(decay + j); }
  CONVERGIO_METHOD V at(std::int64_t j, int n) const { return load(decay + j, n); }
};

/// s[r] = s[r] · decay + k · added[r], and acc[r] = the lanes of s[r] · q, for kRows rows; where
/// `ahead` > 0, the numbers so far on are asked for: the processor itself does not see the rows of
/// a tile coming.
template <int kRows, class Decay>
CONVERGIO_INLINE void update_rows(float* s, std::int64_t width, std::int64_t ahead,
                                  const Decay& decay, const float* k, const float* added,
                                  const float* q, V* acc) {
  V add[kRows];
  for (int r = 0; r < kRows; ++r) {
    add[r] = splat(added[r]);
    acc[r] = splat(0.0F);
  }
  std::int64_t j = 0;
  for (; j + kLanes <= width; j += kLanes) {
    const V kj = load(k + j);
    const V qj = load(q + j);
    const V dj = decay.at(j);
    if (ahead > 0 && j % kLine == 0) {
      for (int r = 0; r < kRows; ++r) {
        __builtin_prefetch(s + r * width + j + ahead, 1);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const V x = fma(load(s + r * width + j), dj, kj * add[r]);
      store(s + r * width + j, x);
      acc[r] = fma(x, qj, acc[r]);
    }
  }
  if (j < width) {
    const int n = static_cast<int>(width - j);
    const V kj = load(k + j, n);
    const V qj = load(q + j, n);
    const V dj = decay.at(j, n);
    for (int r = 0; r < kRows; ++r) {
      const V x = fma(load(s + r * width + j, n), dj, kj * add[r]);
      store(s + r * width + j, x, n);
      acc[r] = fma(x, qj, acc[r]);
    }
  }
}

/// The same with the sums over lanes.
template <int kRows, class Decay>
CONVERGIO_INLINE void update_and_read(float* s, std::int64_t width, std::int64_t ahead,
                                      const Decay& decay, const float* k, const float* added,
                                      const float* q, float* sums) {
  constexpr int kStep = kRows < kUpdatedRows ? kRows : kUpdatedRows;
  static_assert(kRows % kStep == 0);
  V acc[kSums<kRows>];
  for (int r = 0; r < kRows; r += kStep) {
    update_rows<kStep>(s + r * width, width, ahead, decay, k, added + r, q, acc + r);
  }
  sums_of_rows<kRows>(acc, sums);
}

/// A token and kRows rows of a head's state.
template <int kRows>
CONVERGIO_INLINE void delta_rows(float* s, std::int64_t width, std::int64_t ahead, const float* q,
                                 const float* k, const float* v, const float* decay, bool by_number,
                                 float beta, float* y) {
  float sums[kSums<kRows>];
  float delta[kRows];
  dot_rows<kRows>(s, width, k, by_number ? decay : nullptr, sums);
  const float known = by_number ? 1.0F : *decay;
  for (int r = 0; r < kRows; ++r) {
    delta[r] = (v[r] - known * sums[r]) * beta;
  }
  if (by_number) {
    update_and_read<kRows>(s, width, ahead, DecayByNumber{decay}, k, delta, q, sums);
  } else {
    update_and_read<kRows>(s, width, ahead, OneDecay{splat(*decay)}, k, delta, q, sums);
  }
  __builtin_memcpy(y, sums, kRows * sizeof(float));
}

static void gated_delta(const GatedDeltaPiece& p) {
  const std::int64_t ahead = rows_ahead(p.tokens) * p.width;
  for (std::int64_t i = 0; i < p.tokens; ++i) {
    const float* q = p.q + i * p.key_row;
    const float* k = p.k + i * p.key_row;
    const float* v = p.v + i * p.v_row;
    const float* decay = p.decay + i * p.decay_row;
    const float beta = p.beta[i * p.beta_row];
    float* y = p.y + i * p.y_row;
    for_row_tiles<kStateRows, 4, 1>(p.rows, [&]<int kRows>(std::int64_t r) CONVERGIO_LAMBDA {
      delta_rows<kRows>(p.state + r * p.width, p.width, ahead, q, k, v + r, decay,
                        p.decay_by_number, beta, y + r);
    });
  }
}

/// Of many tokens some at a time go through a tile of the state that registers hold; what a token
/// has of a row so far, lane by lane, is kept in memory until the last tile of the row.
constexpr int kTiledTokens = 32;
constexpr int kTiledRows = kUpdatedRows / 2;
constexpr int kTiledVectors = 4;
constexpr std::int64_t kTiledFrom = 8;  // tokens; fewer read a state as memory gives it

/// kVectors · kLanes numbers, from `column` on, of kRows rows of the state, and `tokens` tokens.
/// added: kTiledRows for each token, as is acc.
template <int kRows, int kVectors>
CONVERGIO_INLINE void scan_tile(const SelectiveScanPiece& p, std::int64_t first, int tokens,
                                std::int64_t row, std::int64_t column, const float* added,
                                float* acc) {
  float* const state = p.state + row * p.width + column;
  V s[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kVectors; ++j) {
      s[r][j] = load(state + r * p.width + j * kLanes);
    }
  }
  for (int i = 0; i < tokens; ++i) {
    const float* const b = p.b + (first + i) * p.bc_row + column;
    const float* const c = p.c + (first + i) * p.bc_row + column;
    const V decay = splat(p.decay[(first + i) * p.dt_row]);
    float* const sums = acc + i * kTiledRows * kLanes;
    V add[kRows];
    V sum[kRows];
    for (int r = 0; r < kRows; ++r) {
      add[r] = splat(added[i * kTiledRows + r]);
      sum[r] = column == 0 ? splat(0.0F) : load(sums + r * kLanes);
    }
    for (int j = 0; j < kVectors; ++j) {
      const V bj = load(b + j * kLanes);
      const V cj = load(c + j * kLanes);
      for (int r = 0; r < kRows; ++r) {
        s[r][j] = fma(s[r][j], decay, bj * add[r]);
        sum[r] = fma(s[r][j], cj, sum[r]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      store(sums + r * kLanes, sum[r]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kVectors; ++j) {
      store(state + r * p.width + j * kLanes, s[r][j]);
    }
  }
}

/// Tokens [first, first + tokens), at most kTiledTokens, through kRows rows of whole vectors.
template <int kRows>
CONVERGIO_INLINE void scan_rows(const SelectiveScanPiece& p, std::int64_t first, int tokens,
                                std::int64_t row) {
  alignas(64) float acc[kTiledTokens * kTiledRows * kLanes];
  alignas(64) float added[kTiledTokens * kTiledRows] = {};
  alignas(64) float sums[kTiledTokens * kTiledRows + kLanes];
  for (int i = 0; i < tokens; ++i) {
    const float* const x = p.x + (first + i) * p.x_row + row;
    const float dt = p.dt[(first + i) * p.dt_row];
    for (int r = 0; r < kRows; ++r) {
      added[i * kTiledRows + r] = x[r] * dt;
    }
  }
  for (std::int64_t column = 0; column < p.width;) {
    if (column + kTiledVectors * kLanes <= p.width) {
      scan_tile<kRows, kTiledVectors>(p, first, tokens, row, column, added, acc);
      column += kTiledVectors * kLanes;
    } else {
      scan_tile<kRows, 1>(p, first, tokens, row, column, added, acc);
      column += kLanes;
    }
  }
  for (int i = 0; i < tokens * kTiledRows; i += kLanes) {
    V rows[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) {
      const int at = i + lane;  // those of rows or tokens that there are not stay unwritten
      const bool is_one = at / kTiledRows < tokens && at % kTiledRows < kRows;
      rows[lane] = is_one ? load(acc + at * kLanes) : splat(0.0F);
    }
    store(sums + i, sums_of(rows));
  }
  for (int i = 0; i < tokens; ++i) {
    const float* const x = p.x + (first + i) * p.x_row + row;
    float* const y = p.y + (first + i) * p.y_row + row;
    for (int r = 0; r < kRows; ++r) {
      y[r] = sums[i * kTiledRows + r] + p.d * x[r];
    }
  }
}

/// A token through all rows, for few tokens and rows that are no whole vectors.
CONVERGIO_INLINE void scan_token(const SelectiveScanPiece& p, std::int64_t i, std::int64_t ahead) {
  const float* x = p.x + i * p.x_row;
  const float* b = p.b + i * p.bc_row;
  const float* c = p.c + i * p.bc_row;
  const float dt = p.dt[i * p.dt_row];
  const OneDecay decay{splat(p.decay[i * p.dt_row])};
  float* y = p.y + i * p.y_row;
  for_row_tiles<kStateRows, 4, 1>(p.rows, [&]<int kRows>(std::int64_t r) CONVERGIO_LAMBDA {
    float sums[kSums<kRows>];
    float added[kRows];
    for (int j = 0; j < kRows; ++j) {
      added[j] = x[r + j] * dt;
    }
    update_and_read<kRows>(p.state + r * p.width, p.width, ahead, decay, b, added, c, sums);
    for (int j = 0; j < kRows; ++j) {
      y[r + j] = sums[j] + p.d * x[r + j];
    }
  });
}

static void selective_scan(const SelectiveScanPiece& p) {
  if (p.tokens < kTiledFrom || p.width % kLanes != 0) {
    const std::int64_t ahead = rows_ahead(p.tokens) * p.width;
    for (std::int64_t i = 0; i < p.tokens; ++i) {
      scan_token(p, i, ahead);
    }
    return;
  }
  for (std::int64_t i = 0; i < p.tokens; i += kTiledTokens) {
    const auto tokens = static_cast<int>(p.tokens - i < kTiledTokens ? p.tokens - i : kTiledTokens);
    for_row_tiles<kTiledRows, 1>(p.rows, [&]<int kRows>(std::int64_t row) CONVERGIO_LAMBDA {
      scan_rows<kRows>(p, i, tokens, row);
    });
  }
}

/// One row: log(1 + eˣ) of x + bias, at least `least` and at most `most`.
static void softplus(const float* x, const float* bias, float least, float most, std::int64_t width,
                     float* out) {
  for (std::int64_t k = 0; k < width; k += kLanes) {
    const int n = static_cast<int>(width - k < kLanes ? width - k : kLanes);
    const V v = load(x + k, n) + load(bias + k, n);
    // log(1 + u) = 2 artanh(u / (2 + u)), whose series in z² <= 1/9 ends below 2^-25
    const V u = exp(splat(0.0F) - vabs(v));
    const V z = u / (splat(2.0F) + u);
    const V square = z * z;
    V p = splat(1.0F / 15.0F);
    p = fma(p, square, splat(1.0F / 13.0F));
    p = fma(p, square, splat(1.0F / 11.0F));
    p = fma(p, square, splat(1.0F / 9.0F));
    p = fma(p, square, splat(1.0F / 7.0F));
    p = fma(p, square, splat(1.0F / 5.0F));
    p = fma(p, square, splat(1.0F / 3.0F));
    p = fma(p, square, splat(1.0F));
    const V y = fma(z + z, p, vmax(v, splat(0.0F)));
    store(out + k, vmin(vmax(y, splat(least)), splat(most)), n);
  }
}

/// One row: exp(-rate · x); `one_rate`: the first is everybody's.
static void decay(const float* x, const float* rate, bool one_rate, std::int64_t width,
                  float* out) {
  for (std::int64_t k = 0; k < width; k += kLanes) {
    const int n = static_cast<int>(width - k < kLanes ? width - k : kLanes);
    const V r = one_rate ? splat(*rate) : load(rate + k, n);
    store(out + k, exp(splat(0.0F) - r * load(x + k, n)), n);
  }
}

/// kTaps 0: as many as the row says.
template <int kTaps, bool kSilu>
CONVERGIO_INLINE void conv_channels(const ConvRow& c, std::int64_t at, int n, bool whole) {
  const auto get = [&](const float* p) CONVERGIO_LAMBDA { return whole ? load(p) : load(p, n); };
  V sum = c.bias == nullptr ? splat(0.0F) : get(c.bias + at);
  const std::int64_t taps = kTaps > 0 ? kTaps : c.taps;
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    sum = fma(get(c.inputs[tap] + at), get(c.weight + tap * c.weight_row + at), sum);
  }
  V y = kSilu ? sum * sigmoid(sum) : sum;
  if (c.after != nullptr) {
    y = y * get(c.after + at);
  }
  if (whole) {
    store(c.y + at, y);
  } else {
    store(c.y + at, y, n);
  }
}

template <int kTaps, bool kSilu>
CONVERGIO_INLINE void conv_row(const ConvRow& c) {
  std::int64_t at = 0;
  for (; at + kLanes <= c.width; at += kLanes) {
    conv_channels<kTaps, kSilu>(c, at, kLanes, true);
  }
  if (at < c.width) {
    conv_channels<kTaps, kSilu>(c, at, static_cast<int>(c.width - at), false);
  }
}

template <bool kSilu>
CONVERGIO_INLINE void conv_taps(const ConvRow& c) {
  switch (c.taps) {
    case 3:
      return conv_row<3, kSilu>(c);
    case 4:
      return conv_row<4, kSilu>(c);
    default:
      return conv_row<0, kSilu>(c);
  }
}

static void causal_conv(const ConvRow& c) {
  return c.silu ? conv_taps<true>(c) : conv_taps<false>(c);
}
