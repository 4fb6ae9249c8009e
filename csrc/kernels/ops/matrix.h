#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "kernels/bodies/kernel_set.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// A weight matrix of `rows` outputs and `cols` inputs, as the file has it.
struct Matrix {
  mx::array data;                   ///< Dense: (rows, cols); else uint32 (rows, cols * bits / 32)
  std::optional<mx::array> scales;  ///< (rows, cols / group_size)
  std::optional<mx::array> biases;  ///< where the format has them: (rows, cols / group_size)
  Format format = Format::Dense;
  int group_size = 0;
  int bits = 0;
  int rows = 0;
  int cols = 0;
};

/// MLX's name of a format: "affine", "mxfp4", …; "dense" for what is not quantized.
std::string mode_name(Format format);

/// True for what the kernels read; anything else MLX's ops compute or refuse.
bool kernels_read(const Matrix& matrix);

/// A matrix among the inputs of an op.
class MatrixOperand {
 public:
  /// Appends the matrix's arrays to `inputs`.
  MatrixOperand(const Matrix& matrix, std::vector<mx::array>& inputs);

  /// Its shape and format; the pointers are null.
  const Weights& layout() const { return layout_; }

  /// The same with its pointers into `inputs`, whose memory is in place.
  Weights bind(const std::vector<mx::array>& inputs) const;

 private:
  Weights layout_;
  std::size_t first_;  ///< of its arrays among the inputs
};

/// Rows [begin, end) of a matrix.
Weights rows_of(const Weights& whole, std::int64_t begin, std::int64_t end);

}  // namespace convergio::kernels
