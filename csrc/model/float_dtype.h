#pragma once

#include <optional>

#include "io/dtype.h"
#include "mlx/dtype.h"

namespace convergio::model {

/// MLX's type of a tensor's floats; nullopt where they are no floats.
inline std::optional<mlx::core::Dtype> float_dtype(io::Dtype dtype) {
  switch (dtype) {
    case io::Dtype::F32:
      return mlx::core::float32;
    case io::Dtype::F16:
      return mlx::core::float16;
    case io::Dtype::BF16:
      return mlx::core::bfloat16;
    default:
      return std::nullopt;
  }
}

}  // namespace convergio::model
