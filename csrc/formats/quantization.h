#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// The formats of weight matrices: what each may hold, in one table. config.json names a row by its
// mode; the tensors' shapes, the arrays over them and the kernels follow from it.
namespace convergio::formats {

/// How the numbers of a matrix are stored.
enum class Format : std::uint8_t {
  Dense,   ///< float32, float16 or bfloat16
  Affine,  ///< MLX affine: w = scale · q + bias for each group
  Mxfp4,   ///< e2m1 values, an e8m0 scale for each group
  Mxfp8,   ///< e4m3 values, an e8m0 scale for each group
  Nvfp4,   ///< e2m1 values, an e4m3 scale for each group
};

/// What a group's scale is.
enum class Scale : std::uint8_t {
  Float,  ///< float32, float16 or bfloat16, with a bias of the same type
  Byte,   ///< a float of 8 bits, no bias
};

/// A quantized format.
struct QuantizedFormat {
  Format format;
  std::string_view mode;  ///< its name in config.json and in MLX
  std::span<const int> bits;
  std::span<const int> group_sizes;  ///< columns that share a scale
  int default_bits;
  int default_group_size;
  Scale scale;
  bool integer;  ///< its values are small whole numbers, or halves of them

  bool has_biases() const { return scale == Scale::Float; }

  /// Of a weight, its share of scale and bias included: those are floats of 16 bits, or bytes.
  double bits_per_weight(int its_bits, int group_size) const {
    return its_bits + (has_biases() ? 32.0 : 8.0) / group_size;
  }

  bool supports(int its_bits, int group_size) const {
    return std::ranges::find(bits, its_bits) != bits.end() &&
           std::ranges::find(group_sizes, group_size) != group_sizes.end();
  }
};

inline constexpr std::array kAffineBits{2, 3, 4, 5, 6, 8};
inline constexpr std::array kFourBits{4};
inline constexpr std::array kEightBits{8};
inline constexpr std::array kAffineGroups{32, 64, 128};
inline constexpr std::array kGroupsOf32{32};
inline constexpr std::array kGroupsOf16{16};

inline constexpr std::array<QuantizedFormat, 4> kQuantizedFormats{{
    {Format::Affine, "affine", kAffineBits, kAffineGroups, 4, 64, Scale::Float, true},
    {Format::Mxfp4, "mxfp4", kFourBits, kGroupsOf32, 4, 32, Scale::Byte, true},
    {Format::Mxfp8, "mxfp8", kEightBits, kGroupsOf32, 8, 32, Scale::Byte, false},
    {Format::Nvfp4, "nvfp4", kFourBits, kGroupsOf16, 4, 16, Scale::Byte, true},
}};

/// The row of a format; null for Dense.
constexpr const QuantizedFormat* quantized_format(Format format) {
  for (const QuantizedFormat& row : kQuantizedFormats) {
    if (row.format == format) {
      return &row;
    }
  }
  return nullptr;
}

/// The row of a mode's name; null where there is none.
constexpr const QuantizedFormat* quantized_format(std::string_view mode) {
  for (const QuantizedFormat& row : kQuantizedFormats) {
    if (row.mode == mode) {
      return &row;
    }
  }
  return nullptr;
}

/// "affine, mxfp4, …".
std::string modes_text();

/// "2, 3, 4, 5, 6 or 8 bits with groups of 32, 64 or 128".
std::string supported_text(const QuantizedFormat& format);

}  // namespace convergio::formats
