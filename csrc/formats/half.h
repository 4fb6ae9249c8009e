#pragma once

#include <bit>
#include <cstdint>

// IEEE half precision in its 16 bits, without instructions that not every CPU has.
namespace convergio::formats {

inline float float_of_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 31U;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

/// The nearest half, of two the one with an even fraction; what is too large becomes infinite.
inline std::uint16_t half_of_float(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFF'FFFFU;
  if (magnitude >= 0x7F80'0000U) {
    return static_cast<std::uint16_t>(sign | (magnitude > 0x7F80'0000U ? 0x7E00U : 0x7C00U));
  }
  if (magnitude < 0x3880'0000U) {  // below 2^-14: a multiple of 2^-24
    // a float of this size has no fraction, so the sum is rounded to a whole number
    const float whole = std::bit_cast<float>(magnitude) * 0x1p24F + 0x1p23F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(whole) & 0x7FFU));
  }
  const std::uint32_t rounded = magnitude + 0xFFFU + (magnitude >> 13 & 1U);
  const std::uint32_t half = (rounded >> 13) - (112U << 10);
  return static_cast<std::uint16_t>(sign | (half > 0x7C00U ? 0x7C00U : half));
}

/// Whether half precision holds a float as it is; never true of NaN.
inline bool is_half(float value) { return float_of_half(half_of_float(value)) == value; }

}  // namespace convergio::formats
