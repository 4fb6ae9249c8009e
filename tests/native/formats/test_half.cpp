#include "formats/half.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "check.h"

namespace convergio::formats {

TEST(every_half_is_the_float_that_its_bits_say_and_back) {
  for (std::uint32_t bits = 0; bits < 1U << 16; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = float_of_half(half);
    const int exponent = static_cast<int>(half >> 10 & 31);
    const int fraction = half & 1023;
    if (exponent == 31) {
      CHECK(fraction == 0 ? std::isinf(value) : std::isnan(value));
      CHECK_EQ(is_half(value), fraction == 0);
      continue;
    }
    const double magnitude =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    CHECK_EQ(std::fabs(value), static_cast<float>(magnitude));
    CHECK_EQ(std::signbit(value), half >> 15 != 0);
    CHECK_EQ(half_of_float(value), half);
  }
}

TEST(a_float_between_two_halves_becomes_the_nearest) {
  CHECK_EQ(half_of_float(1.0F + 0x1p-11F), 0x3C00);  // of two, the even one
  CHECK_EQ(half_of_float(1.0F + 3 * 0x1p-11F), 0x3C02);
  CHECK_EQ(half_of_float(1.0F + 0x1.2p-11F), 0x3C01);
  CHECK_EQ(half_of_float(65519.0F), 0x7BFF);
  CHECK_EQ(half_of_float(65520.0F), 0x7C00);
  CHECK_EQ(half_of_float(0x1p-25F), 0);
  CHECK_EQ(half_of_float(0x1.8p-25F), 1);
  CHECK_EQ(half_of_float(-0x1.FFFp-15F), 0x8400);
  CHECK(!is_half(1.0F + 0x1p-11F));
  CHECK(!is_half(std::numeric_limits<float>::quiet_NaN()));
}

}  // namespace convergio::formats
