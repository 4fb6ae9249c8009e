// Tiles, the registers of AMX: 16 rows of up to 64 bytes each, and what is done with them.

constexpr int kAmxRows = 16;   // of a tile
constexpr int kAmxDepth = 64;  // bytes of a row of a tile

/// The shapes of the tiles, as ldtilecfg reads them.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1;
  std::uint8_t reserved[15] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileShapes) == 64);

template <int kTile>
CONVERGIO_INLINE void zero_tile() {
  __asm__ volatile("tilezero %%tmm%c0" : : "i"(kTile));
}
template <int kTile>
CONVERGIO_INLINE void load_tile(const void* at, std::int64_t stride) {
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(at), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
CONVERGIO_INLINE void store_tile(void* at, std::int64_t stride) {
  __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)"
                   :
                   : "r"(at), "r"(stride), "i"(kTile)
                   : "memory");
}
/// sums += signed rows · unsigned words, four products to a sum at a time.
template <int kSums, int kRows, int kWords>
CONVERGIO_INLINE void add_signed_by_unsigned() {
  __asm__ volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kRows), "i"(kWords));
}
/// The same of unsigned rows and signed words.
template <int kSums, int kRows, int kWords>
CONVERGIO_INLINE void add_unsigned_by_signed() {
  __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kRows), "i"(kWords));
}

/// The thread has tiles as long as this lives.
class Tiles {
 public:
  Tiles() = default;
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
  ~Tiles() { __asm__ volatile("tilerelease"); }

  /// Gives them these shapes, which stay where they are.
  void use(const TileShapes& shapes) {
    if (in_use_ != &shapes) {
      __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
      in_use_ = &shapes;
    }
  }

 private:
  const TileShapes* in_use_ = nullptr;
};
