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

CONVERGIO_INLINE std::int64_t round_up(std::int64_t n, std::int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

constexpr int kGroupsAtOnce = 16;

/// The scales of kLanes groups from number `first` (of the whole matrix) on, zero past `n` of them.
CONVERGIO_INLINE V scales_of(const Weights& w, std::int64_t first, int n) {
  if (w.type == Type::U8) {
    return w.format == Format::Nvfp4 ? load_e4m3(w.scales + first, n)
                                     : load_e8m0(w.scales + first, n);
  }
  return load_any(w.type, w.scales + first * type_bytes(w.type), n);
}

CONVERGIO_INLINE V biases_of(const Weights& w, std::int64_t first, int n) {
  if (w.type == Type::U8) {
    return splat(0.0F);
  }
  return load_any(w.type, w.biases + first * type_bytes(w.type), n);
}

/// Those of `count` <= kGroupsAtOnce groups, zero past them.
CONVERGIO_INLINE void read_groups(const Weights& w, std::int64_t first, int count, float* scales,
                                  float* biases) {
  for (int i = 0; i < kGroupsAtOnce; i += kLanes) {
    store(scales + i, scales_of(w, first + i, count - i));
    store(biases + i, biases_of(w, first + i, count - i));
  }
}

/// The bytes of a copy of a packed row that may be read past.
CONVERGIO_INLINE std::int64_t spare_bytes(const Weights& w) {
  return round_up(row_bytes(w) + kOverread, 16);
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

/// Prefetches a line of a matrix twice: well before its use, a page ahead, beyond what the machine
/// sees coming by itself, for the second-level cache, which has more requests open than the first;
/// and shortly before it for the first.
CONVERGIO_INLINE void prefetch_ahead(const std::uint8_t* p) {
  constexpr int kFar = 4096;  // bytes
  constexpr int kNear = 1024;
  __builtin_prefetch(p + kFar, 0, 2);
  __builtin_prefetch(p + kNear, 0, 3);
}

/// How many rows ahead prefetch_groups looks.
CONVERGIO_INLINE std::int64_t rows_ahead(const Weights& w) {
  constexpr std::int64_t kAhead = 4096;  // bytes of the numbers
  return kAhead < row_bytes(w) ? 1 : kAhead / row_bytes(w);
}

/// Scales and biases are thin streams, a line of each for a row: nothing but us sees them coming.
CONVERGIO_INLINE void prefetch_groups(const Weights& w, std::int64_t row, std::int64_t groups) {
  const std::int64_t bytes = groups * group_bytes(w);
  const std::int64_t from = row * bytes;
  for (std::int64_t at = 0; at < bytes; at += 64) {
    __builtin_prefetch(w.scales + from + at);
    if (w.biases != nullptr) {
      __builtin_prefetch(w.biases + from + at);
    }
  }
}
