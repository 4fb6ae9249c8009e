#pragma once

#include <optional>
#include <string>

#include "kernels/format.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// A weight matrix of `rows` outputs and `cols` inputs, as the file has it.
struct Matrix {
  mx::array data;                   ///< Dense: (rows, cols); else uint32 (rows, cols * bits / 32)
  std::optional<mx::array> scales;  ///< (rows, cols / group_size)
  std::optional<mx::array> biases;  ///< Affine only: (rows, cols / group_size)
  Format format = Format::Dense;
  int group_size = 0;
  int bits = 0;
  int rows = 0;
  int cols = 0;
};

/// MLX's name of a quantized format: "affine", "mxfp4", …
std::string mode_name(Format format);

}  // namespace convergio::kernels
