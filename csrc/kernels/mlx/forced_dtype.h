#pragma once

#include <optional>

#include "mlx/dtype.h"

namespace convergio::kernels {

/// The dtype of activations that CONVERGIO_MLX_DTYPE asks for: float32, float16 or bfloat16;
/// nullopt where it is not set. Anything else throws std::invalid_argument. Read once.
std::optional<mlx::core::Dtype> forced_dtype();

}  // namespace convergio::kernels
