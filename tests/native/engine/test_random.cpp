#include <array>
#include <cstdint>
#include <set>

#include "check.h"
#include "engine/random.h"

using convergio::engine::philox;
using convergio::engine::uniform;

namespace {

using Words = std::array<std::uint32_t, 4>;

// The known answers that Random123, the authors' own implementation, is tested with.
TEST(philox_gives_the_known_answers) {
  constexpr std::uint32_t ones = 0xFFFFFFFF;
  CHECK((philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  CHECK((philox({ones, ones, ones, ones}, {ones, ones}) ==
         Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK((philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
         Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(uniform_is_the_first_word_as_a_fraction) {
  CHECK_EQ(uniform(0, 0), static_cast<float>(0x6627e8d5 >> 8) / 16777216.0F);
}

TEST(uniform_uses_all_of_seed_and_step) {
  std::set<float> seen;
  for (int bit = 0; bit < 64; ++bit) {
    seen.insert(uniform(std::uint64_t{1} << bit, 0));
    seen.insert(uniform(0, std::uint64_t{1} << bit));
  }
  CHECK_EQ(seen.size(), 128);
}

TEST(uniform_is_uniform) {
  constexpr int draws = 100'000;
  std::array<int, 20> buckets{};
  for (std::uint64_t step = 0; step < draws; ++step) {
    const float u = uniform(7, step);
    CHECK(u >= 0 && u < 1);
    ++buckets[static_cast<std::size_t>(u * 20)];
  }
  double chi_square = 0;
  for (const int count : buckets) {
    const double off = count - draws / 20.0;
    chi_square += off * off / (draws / 20.0);
  }
  CHECK(chi_square < 43.8);  // 19 degrees of freedom: once in a thousand
}

}  // namespace
