// What works on a row of activations at a time: norms, gated activations, rotary embedding, and
// the cast of rows into a KV cache.

/// out = x / sqrt(mean(x²) + eps) · weight.
static void rms_norm(const float* x, const float* weight, float eps, std::int64_t width,
                     float* out) {
  V squares = splat(0.0F);
  std::int64_t k = 0;
  for (; k + kLanes <= width; k += kLanes) {
    const V v = load(x + k);
    squares = fma(v, v, squares);
  }
  if (k < width) {
    const V v = load(x + k, static_cast<int>(width - k));
    squares = fma(v, v, squares);
  }
  const float mean = sum(squares) / static_cast<float>(width);
  const V scale = splat(1.0F / __builtin_sqrtf(mean + eps));
  for (k = 0; k + kLanes <= width; k += kLanes) {
    store(out + k, load(x + k) * scale * load(weight + k));
  }
  if (k < width) {
    const int rest = static_cast<int>(width - k);
    store(out + k, load(x + k, rest) * scale * load(weight + k, rest), rest);
  }
}

/// out = (x - mean) / sqrt(variance + eps) · weight (+ bias, where there is one).
static void layer_norm(const float* x, const float* weight, const float* bias, float eps,
                       std::int64_t width, float* out) {
  V sums = splat(0.0F);
  std::int64_t k = 0;
  for (; k + kLanes <= width; k += kLanes) {
    sums = sums + load(x + k);
  }
  if (k < width) {
    sums = sums + load(x + k, static_cast<int>(width - k));
  }
  const float mean = sum(sums) / static_cast<float>(width);
  float variance = 0.0F;
  V squares = splat(0.0F);
  for (k = 0; k + kLanes <= width; k += kLanes) {
    const V v = load(x + k) - splat(mean);
    squares = fma(v, v, squares);
  }
  for (; k < width; ++k) {
    variance += (x[k] - mean) * (x[k] - mean);
  }
  variance = (variance + sum(squares)) / static_cast<float>(width);
  const V scale = splat(1.0F / __builtin_sqrtf(variance + eps));
  for (k = 0; k < width; k += kLanes) {
    const int n = static_cast<int>(width - k < kLanes ? width - k : kLanes);
    const V y = (load(x + k, n) - splat(mean)) * scale * load(weight + k, n);
    store(out + k, bias == nullptr ? y : y + load(bias + k, n), n);
  }
}

template <Activation kActivation>
CONVERGIO_INLINE V activate(V x) {
  const V half = splat(0.5F);
  const V one = splat(1.0F);
  if constexpr (kActivation == Activation::Silu) {
    return x * sigmoid(x);
  } else if constexpr (kActivation == Activation::GeluTanh) {
    const V inner = fma(x * x * x, splat(0.044715F), x);
    return half * x * (one + tanh(inner * splat(0.797884561F)));  // sqrt(2 / pi)
  } else if constexpr (kActivation == Activation::Gelu) {
    return half * x * (one + erf(x * splat(0.707106781F)));
  } else if constexpr (kActivation == Activation::Sigmoid) {
    return sigmoid(x);
  } else {
    const V above = vmax(x, splat(0.0F));
    return kActivation == Activation::ReluSquared ? above * above : above;
  }
}

/// `up` may be null, for 1.
template <Activation kActivation>
CONVERGIO_INLINE void gated_row(const float* gate, const float* up, std::int64_t width,
                                float* out) {
  if (up == nullptr) {
    for (std::int64_t k = 0; k < width; k += kLanes) {
      const int n = static_cast<int>(width - k < kLanes ? width - k : kLanes);
      store(out + k, activate<kActivation>(load(gate + k, n)), n);
    }
    return;
  }
  std::int64_t k = 0;
  for (; k + kLanes <= width; k += kLanes) {
    store(out + k, activate<kActivation>(load(gate + k)) * load(up + k));
  }
  if (k < width) {
    const int rest = static_cast<int>(width - k);
    store(out + k, activate<kActivation>(load(gate + k, rest)) * load(up + k, rest), rest);
  }
}

static void gated(const float* gate, const float* up, Activation activation, std::int64_t width,
                  float* out) {
  switch (activation) {
    case Activation::Silu:
      return gated_row<Activation::Silu>(gate, up, width, out);
    case Activation::GeluTanh:
      return gated_row<Activation::GeluTanh>(gate, up, width, out);
    case Activation::Gelu:
      return gated_row<Activation::Gelu>(gate, up, width, out);
    case Activation::Relu:
      return gated_row<Activation::Relu>(gate, up, width, out);
    case Activation::ReluSquared:
      return gated_row<Activation::ReluSquared>(gate, up, width, out);
    case Activation::Sigmoid:
      return gated_row<Activation::Sigmoid>(gate, up, width, out);
  }
}

static void xielu(const float* x, const Xielu& p, std::int64_t width, float* out) {
  for (std::int64_t k = 0; k < width; k += kLanes) {
    const int n = static_cast<int>(width - k < kLanes ? width - k : kLanes);
    const V v = load(x + k, n);
    const V above = splat(p.alpha_p) * v * v;
    const V below = splat(p.alpha_n) * (exp(vmin(v, splat(p.eps))) - splat(1.0F) - v);
    store(out + k, fma(splat(p.beta), v, where_below(splat(0.0F), v, above, below)), n);
  }
}

static void clamped_swiglu(const float* gate, const float* up, float alpha, float limit,
                           std::int64_t width, float* out) {
  for (std::int64_t k = 0; k < width; k += kLanes) {
    const int n = static_cast<int>(width - k < kLanes ? width - k : kLanes);
    const V x = vmin(load(gate + k, n), splat(limit));
    const V linear = vmin(vmax(load(up + k, n), splat(-limit)), splat(limit)) + splat(1.0F);
    store(out + k, linear * (x * sigmoid(splat(alpha) * x)), n);
  }
}

/// One head: (x[i], x[i + half]) turned by the angle of the given sine and cosine.
static void rope(const float* x, const float* cosines, const float* sines, std::int64_t half,
                 std::int64_t width, float* out) {
  for (std::int64_t i = 0; i < half; i += kLanes) {
    const int n = static_cast<int>(half - i < kLanes ? half - i : kLanes);
    const V a = load(x + i, n);
    const V b = load(x + i + half, n);
    const V c = load(cosines + i, n);
    const V s = load(sines + i, n);
    store(out + i, a * c - b * s, n);
    store(out + i + half, b * c + a * s, n);
  }
  for (std::int64_t i = 2 * half; i < width; ++i) {
    out[i] = x[i];
  }
}

/// The same of neighbours: (x[2i], x[2i + 1]).
static void rope_pairs(const float* x, const float* cosines, const float* sines, std::int64_t half,
                       std::int64_t width, float* out) {
  for (std::int64_t i = 0; i < half; ++i) {
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    out[2 * i] = a * cosines[i] - b * sines[i];
    out[2 * i + 1] = b * cosines[i] + a * sines[i];
  }
  for (std::int64_t i = 2 * half; i < width; ++i) {
    out[i] = x[i];
  }
}

/// `width` floats to another type.
static void cast_row(const float* x, std::int64_t width, Type type, std::uint8_t* out) {
  for (std::int64_t k = 0; k < width; k += kLanes) {
    const int n = static_cast<int>(width - k < kLanes ? width - k : kLanes);
    const V v = load(x + k, n);
    if (type == Type::F16) {
      store_f16(out + 2 * k, v, n);
    } else if (type == Type::Bf16) {
      store_bf16(out + 2 * k, v, n);
    } else {
      store(reinterpret_cast<float*>(out) + k, v, n);
    }
  }
}
