// Numbers of any type to vectors; the scales and biases of groups; a packed row that is safe to
// read past.

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
