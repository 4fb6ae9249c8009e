// Tables for unpacking numbers whose width does not divide 8: 3, 5 and 6 bits.

/// For numbers [first, first + count) of kBits bits: the two bytes that hold each, gathered into a
/// 32-bit lane, and how far down to shift it there.
template <int kBits, int kFirst, int kCount>
struct Gather {
  std::uint8_t at[4 * kCount] = {};
  std::int32_t shift[kCount] = {};
  constexpr Gather() {
    for (int i = 0; i < kCount; ++i) {
      const int bit = (kFirst + i) * kBits;
      at[4 * i] = static_cast<std::uint8_t>(bit / 8);
      at[4 * i + 1] = static_cast<std::uint8_t>(bit / 8 + 1);
      at[4 * i + 2] = 0x80;  // zero
      at[4 * i + 3] = 0x80;
      shift[i] = bit % 8;
    }
  }
};
