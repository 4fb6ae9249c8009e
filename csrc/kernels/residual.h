#pragma once

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// x + factor · branch, both (n, width): a branch joins the residual stream.
mx::array residual(mx::array x, mx::array branch, float factor);

}  // namespace convergio::kernels
