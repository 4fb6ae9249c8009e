// Packed weights to floats. A codec is made for one group's scale and bias and turns kChunk numbers
// of kBytes bytes into kChunk / kLanes vectors.

template <int kBits>
struct AffineCodec {
  static constexpr int kChunk = 32;
  static constexpr int kBytes = 4 * kBits;
  static constexpr bool kInWords = 32 % kBits == 0;  // packed.inl.h has faster kernels
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
  static constexpr bool kInWords = true;
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
  static constexpr bool kInWords = false;
  V scale;
  CONVERGIO_METHOD E4m3Codec(float s, float) : scale(splat(s)) {}
  CONVERGIO_METHOD void operator()(const std::uint8_t* p, V* out) const {
    unpack_e4m3(p, out);
    for (int i = 0; i < kChunk / kLanes; ++i) {
      out[i] = out[i] * scale;
    }
  }
};

/// Calls f.run<Codec>() for the format of `w`, which is not Dense.
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
  constexpr std::int64_t kSize = type_bytes(kType);
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
