// Packed weights to floats. A codec is made for one group's scale and bias and turns kChunk numbers
// of kBytes bytes into kChunk / kLanes vectors.

template <int kBits>
struct AffineCodec {
  static constexpr int kChunk = 32;
  static constexpr int kBytes = 4 * kBits;
  V scale;
  V bias;
  CONVERGIO_METHOD AffineCodec(float s, float b) : scale(splat(s)), bias(splat(b)) {}
  CONVERGIO_METHOD void operator()(const std::uint8_t* p, V* out) const {
    unpack<kBits>(p, out);
    for (int i = 0; i < kChunk / kLanes; ++i) {
      out[i] = fma(out[i], scale, bias);
    }
  }
};

struct E2m1Codec {
  static constexpr int kChunk = 16;
  static constexpr int kBytes = 8;
  V scale;
  CONVERGIO_METHOD E2m1Codec(float s, float) : scale(splat(s)) {}
  CONVERGIO_METHOD void operator()(const std::uint8_t* p, V* out) const {
    unpack16_e2m1(p, out);
    for (int i = 0; i < kChunk / kLanes; ++i) {
      out[i] = out[i] * scale;
    }
  }
};

struct E4m3Codec {
  static constexpr int kChunk = 32;
  static constexpr int kBytes = 32;
  V scale;
  CONVERGIO_METHOD E4m3Codec(float s, float) : scale(splat(s)) {}
  CONVERGIO_METHOD void operator()(const std::uint8_t* p, V* out) const {
    unpack_e4m3(p, out);
    for (int i = 0; i < kChunk / kLanes; ++i) {
      out[i] = out[i] * scale;
    }
  }
};

template <Type kType>
CONVERGIO_INLINE V load_as(const std::uint8_t* p) {
  if constexpr (kType == Type::F32) {
    return load(reinterpret_cast<const float*>(p));
  } else if constexpr (kType == Type::F16) {
    return load_f16(p);
  } else {
    return load_bf16(p);
  }
}

template <Type kType>
CONVERGIO_INLINE V load_as(const std::uint8_t* p, int n) {
  if constexpr (kType == Type::F32) {
    return load(reinterpret_cast<const float*>(p), n);
  } else if constexpr (kType == Type::F16) {
    return load_f16(p, n);
  } else {
    return load_bf16(p, n);
  }
}

CONVERGIO_INLINE V load_any(Type type, const std::uint8_t* p, int n) {
  switch (type) {
    case Type::F16:
      return load_as<Type::F16>(p, n);
    case Type::Bf16:
      return load_as<Type::Bf16>(p, n);
    default:
      return load_as<Type::F32>(p, n);
  }
}

/// The 256 scales that a byte can be: e8m0 (a power of two) and e4m3.
struct ByteScales {
  float e8m0[256] = {};
  float e4m3[256] = {};
  constexpr ByteScales() {
    e8m0[0] = 0x1p-127F;
    for (int i = 1; i < 255; ++i) {
      e8m0[i] = 2.0F * e8m0[i - 1];
    }
    e8m0[255] = __builtin_inff();
    for (int i = 0; i < 128; ++i) {
      float value = static_cast<float>(i < 8 ? i : 8 + i % 8) * 0x1p-9F;
      for (int exponent = i / 8; exponent > 1; --exponent) {
        value *= 2.0F;
      }
      e4m3[i] = value;
      e4m3[i + 128] = -value;
    }
  }
};

constexpr int kGroupsAtOnce = 16;

/// Scales and biases of `count` <= kGroupsAtOnce groups from number `first` (of the whole matrix);
/// zero up to kGroupsAtOnce.
CONVERGIO_INLINE void read_groups(const Weights& w, std::int64_t first, int count, float* scales,
                                  float* biases) {
  if (w.type == Type::U8) {
    static constexpr ByteScales kScales;
    const float* table = w.format == Format::Nvfp4 ? kScales.e4m3 : kScales.e8m0;
    const std::uint8_t* codes = w.scales + first;
    for (int i = 0; i < kGroupsAtOnce; ++i) {
      scales[i] = i < count ? table[codes[i]] : 0.0F;
      biases[i] = 0.0F;
    }
    return;
  }
  const std::int64_t size = w.type == Type::F32 ? 4 : 2;
  for (int i = 0; i < kGroupsAtOnce; i += kLanes) {
    const std::int64_t at = (first + i) * size;
    store(scales + i, load_any(w.type, w.scales + at, count - i));
    store(biases + i, load_any(w.type, w.biases + at, count - i));
  }
}

/// Row `row`, in place where a vector's overread stays within the matrix, else a copy in `spare`.
CONVERGIO_INLINE const std::uint8_t* packed_row(const Weights& w, std::int64_t row, void* spare) {
  const std::int64_t bytes = row_bytes(w);
  const std::uint8_t* p = w.data + row * bytes;
  if (w.format == Format::Dense || (w.rows - row - 1) * bytes >= kOverread) {
    return p;
  }
  __builtin_memcpy(spare, p, static_cast<std::size_t>(bytes));
  return static_cast<const std::uint8_t*>(spare);
}

/// Calls f.template operator()<Codec>() for the format of `w`, which is not Dense.
template <class F>
CONVERGIO_INLINE void with_codec(const Weights& w, const F& f) {
  switch (w.format) {
    case Format::Affine:
      switch (w.bits) {
        case 2:
          return f.template run<AffineCodec<2>>();
        case 3:
          return f.template run<AffineCodec<3>>();
        case 4:
          return f.template run<AffineCodec<4>>();
        case 5:
          return f.template run<AffineCodec<5>>();
        case 6:
          return f.template run<AffineCodec<6>>();
        default:
          return f.template run<AffineCodec<8>>();
      }
    case Format::Mxfp8:
      return f.template run<E4m3Codec>();
    default:
      return f.template run<E2m1Codec>();
  }
}

/// Columns [from, to) of a packed row as floats; both are multiples of the group size.
template <class Codec>
CONVERGIO_INLINE void dequantize_columns(const Weights& w, const std::uint8_t* packed,
                                         std::int64_t row, std::int64_t from, std::int64_t to,
                                         float* out) {
  float scales[kGroupsAtOnce];
  float biases[kGroupsAtOnce];
  const std::int64_t groups_a_row = w.cols / w.group;
  const std::uint8_t* p = packed + from * w.bits / 8;
  const std::int64_t last = to / w.group;
  for (std::int64_t g = from / w.group; g < last; g += kGroupsAtOnce) {
    const int count = static_cast<int>(last - g < kGroupsAtOnce ? last - g : kGroupsAtOnce);
    read_groups(w, row * groups_a_row + g, count, scales, biases);
    for (int i = 0; i < count; ++i) {
      const Codec codec(scales[i], biases[i]);
      for (int k = 0; k < w.group; k += Codec::kChunk) {
        V v[Codec::kChunk / kLanes];
        codec(p, v);
        p += Codec::kBytes;
        for (int j = 0; j < Codec::kChunk / kLanes; ++j) {
          store(out, v[j]);
          out += kLanes;
        }
      }
    }
  }
}

template <Type kType>
CONVERGIO_INLINE void widen_columns(const std::uint8_t* p, std::int64_t count, float* out) {
  constexpr std::int64_t kSize = kType == Type::F32 ? 4 : 2;
  std::int64_t k = 0;
  for (; k + kLanes <= count; k += kLanes) {
    store(out + k, load_as<kType>(p + k * kSize));
  }
  if (k < count) {
    const int rest = static_cast<int>(count - k);
    store(out + k, load_as<kType>(p + k * kSize, rest), rest);
  }
}

struct ColumnsToFloat {
  const Weights& w;
  std::int64_t row, from, to;
  float* out;
  void* spare;
  template <class Codec>
  CONVERGIO_METHOD void run() const {
    dequantize_columns<Codec>(w, packed_row(w, row, spare), row, from, to, out);
  }
};

/// Columns [from, to) of one row, any format. `spare` takes a packed row and kOverread more.
static void columns_to_float(const Weights& w, std::int64_t row, std::int64_t from, std::int64_t to,
                             float* out, void* spare) {
  if (w.format != Format::Dense) {
    with_codec(w, ColumnsToFloat{w, row, from, to, out, spare});
    return;
  }
  const std::uint8_t* p = w.data + row * row_bytes(w);
  switch (w.type) {
    case Type::F16:
      return widen_columns<Type::F16>(p + from * 2, to - from, out);
    case Type::Bf16:
      return widen_columns<Type::Bf16>(p + from * 2, to - from, out);
    default:
      return widen_columns<Type::F32>(p + from * 4, to - from, out);
  }
}

static void dequantize(const Weights& w, std::int64_t row, float* out, float* work) {
  columns_to_float(w, row, 0, w.cols, out, work);
}
