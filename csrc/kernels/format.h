#pragma once

#include <cstdint>

namespace convergio::kernels {

/// How the numbers of a matrix are stored.
enum class Format : std::uint8_t {
  Dense,   ///< float32, float16 or bfloat16
  Affine,  ///< MLX affine: 2, 3, 4, 5, 6 or 8 bits, w = scale * q + bias for each group
  Mxfp4,   ///< e2m1 values, one e8m0 scale for each 32
  Mxfp8,   ///< e4m3 values, one e8m0 scale for each 32
  Nvfp4,   ///< e2m1 values, one e4m3 scale for each 16
};

}  // namespace convergio::kernels
