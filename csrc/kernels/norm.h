#pragma once

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// x / sqrt(mean(x²) + eps) · weight over the last axis (Zhang and Sennrich 2019).
mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps);

}  // namespace convergio::kernels
