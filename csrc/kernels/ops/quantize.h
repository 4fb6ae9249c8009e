#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// How rows of a matrix are to be quantized.
struct QuantizeOptions {
  std::string mode;  ///< a row of formats::kQuantizedFormats, which supports bits and group_size
  int bits = 0;
  int group_size = 0;  ///< divides the columns
};

/// Quantized rows as a file has them, row-major.
struct QuantizedRows {
  std::vector<std::byte> weight;  ///< uint32, (rows, cols · bits / 32)
  std::vector<std::byte> scales;  ///< (rows, cols / group_size)
  std::vector<std::byte> biases;  ///< empty where the format has none
};

/// A part of a float tensor of a file, at any alignment.
struct Floats {
  const std::byte* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  mx::Dtype stored;
};

/// The numbers in another float dtype.
std::vector<std::byte> cast(const Floats& given, mx::Dtype dtype);

/// mx::quantize of the rows, cast to `dtype` first, in which scales and biases are too. Rows do not
/// depend on each other, so on a CPU as many threads as it has cores take a share each.
QuantizedRows quantize(const Floats& given, mx::Dtype dtype, const QuantizeOptions& options);

}  // namespace convergio::kernels
