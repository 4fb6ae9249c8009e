#pragma once

#include <vector>

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// Rows of (n, w₁), (n, w₂), … side by side: (n, w₁ + w₂ + …).
mx::array join_columns(const std::vector<mx::array>& parts);

}  // namespace convergio::kernels
