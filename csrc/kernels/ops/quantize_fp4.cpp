#include "kernels/ops/quantize_fp4.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>

namespace convergio::kernels {

namespace {

constexpr float kLargest = 6.0F;  ///< of e2m1
constexpr std::size_t kMxGroup = 32;
constexpr std::size_t kNvGroup = 16;
constexpr int kExponentBias = 127;  ///< of e8m0

struct Scale {
  std::uint8_t code = 0;
  float value = 0.0F;
};

/// A power of two, the least that brings the largest number within e2m1.
std::optional<Scale> mx_scale(float largest, float smallest) {
  const float wanted = largest / kLargest;
  if (largest != 0.0F && !(wanted >= smallest)) {
    return std::nullopt;
  }
  int exponent = 0;
  if (largest != 0.0F && std::frexp(wanted, &exponent) == 0.5F) {
    --exponent;
  }
  return Scale{.code = static_cast<std::uint8_t>(exponent + kExponentBias),
               .value = std::ldexp(1.0F, exponent)};
}

/// The values of e4m3 from 0 to 448, by their codes.
constexpr std::array<float, 127> e4m3_values() {
  std::array<float, 127> values{};
  for (std::size_t code = 0; code < values.size(); ++code) {
    const auto exponent = static_cast<int>(code >> 3);
    float value = static_cast<float>((code & 7) + (exponent == 0 ? 0 : 8)) / 512.0F;
    for (int i = 1; i < exponent; ++i) {
      value *= 2.0F;
    }
    values[code] = value;
  }
  return values;
}
constexpr std::array<float, 127> kE4m3 = e4m3_values();

/// The e4m3 number nearest to the one that brings the largest to e2m1's; of two the even one.
std::optional<Scale> nv_scale(float largest, float) {
  const float wanted = largest / kLargest;
  if (!(wanted <= kE4m3.back())) {
    return std::nullopt;
  }
  const auto above =
      static_cast<std::size_t>(std::ranges::upper_bound(kE4m3, wanted) - kE4m3.begin());
  std::size_t code = above - 1;
  if (above < kE4m3.size()) {
    const float below_by = wanted - kE4m3[code];
    const float above_by = kE4m3[above] - wanted;
    code = above_by < below_by || (above_by == below_by && code % 2 == 1) ? above : code;
  }
  return Scale{.code = static_cast<std::uint8_t>(code), .value = kE4m3[code]};
}

/// The nearest e2m1 number, of two the smaller; zero has no sign. Without a branch: it is done to
/// several numbers at once.
std::int32_t e2m1(float number) {
  const float size = std::fabs(number);
  const std::int32_t code =
      static_cast<std::int32_t>(size > 0.25F) + static_cast<std::int32_t>(size > 0.75F) +
      static_cast<std::int32_t>(size > 1.25F) + static_cast<std::int32_t>(size > 1.75F) +
      static_cast<std::int32_t>(size > 2.5F) + static_cast<std::int32_t>(size > 3.5F) +
      static_cast<std::int32_t>(size > 5.0F);
  return code + (static_cast<std::int32_t>(number < -0.25F) << 3);
}

/// The largest number of a group without its sign; nullopt where one is not finite.
template <std::size_t group>
std::optional<float> largest_of(const float* numbers) {
  constexpr std::int32_t kSign = std::numeric_limits<std::int32_t>::max();
  constexpr std::int32_t kInfinity = 0x7F800000;
  std::int32_t largest = 0;  // floats without a sign are in the order of their bits
  for (std::size_t i = 0; i < group; ++i) {
    largest = std::max(largest, std::bit_cast<std::int32_t>(numbers[i]) & kSign);
  }
  return largest < kInfinity ? std::optional(std::bit_cast<float>(largest)) : std::nullopt;
}

template <std::size_t group, typename ScaleOf>
bool quantize_groups(std::span<const float> numbers, std::uint8_t* codes, std::uint8_t* scales,
                     float smallest, ScaleOf scale_of) {
  for (std::size_t first = 0; first < numbers.size(); first += group) {
    const float* from = numbers.data() + first;
    const std::optional<float> largest = largest_of<group>(from);
    const std::optional<Scale> scale = largest ? scale_of(*largest, smallest) : std::nullopt;
    if (!scale) {
      return false;
    }
    std::array<std::int32_t, group> found{};
    if (scale->value != 0.0F) {
      for (std::size_t i = 0; i < group; ++i) {
        found[i] = e2m1(from[i] / scale->value);
      }
    }
    for (std::size_t i = 0; i < group; i += 2) {
      *codes++ = static_cast<std::uint8_t>(found[i] | (found[i + 1] << 4));
    }
    *scales++ = scale->code;
  }
  return true;
}

}  // namespace

bool is_fp4(std::string_view mode) { return mode == "mxfp4" || mode == "nvfp4"; }

bool quantize_fp4(std::string_view mode, std::span<const float> numbers, float smallest,
                  std::uint8_t* codes, std::uint8_t* scales) {
  return mode == "mxfp4" ? quantize_groups<kMxGroup>(numbers, codes, scales, smallest, mx_scale)
                         : quantize_groups<kNvGroup>(numbers, codes, scales, smallest, nv_scale);
}

}  // namespace convergio::kernels
