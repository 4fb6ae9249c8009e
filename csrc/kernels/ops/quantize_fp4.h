#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace convergio::kernels {

/// Whether quantize_fp4 knows a mode: those of e2m1 values, which MLX's CPU operations take many
/// seconds for a matrix to make.
bool is_fp4(std::string_view mode);

/// What mx::quantize makes of float32 groups, byte for byte.
///
/// numbers: whole groups, 32 (mxfp4) or 16 (nvfp4) each, finite. smallest: the least normal number
/// of the dtype that they were in. codes: two of them a byte. scales: one a group. False, with
/// nothing to use in either, where a number is not finite, or a group's scale is not a normal
/// number or too large for the format: then only MLX tells what it makes of that.
bool quantize_fp4(std::string_view mode, std::span<const float> numbers, float smallest,
                  std::uint8_t* codes, std::uint8_t* scales);

}  // namespace convergio::kernels
