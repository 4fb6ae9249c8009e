#pragma once

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// x + factor · branch, both (n, width): a branch joins the residual stream.
mx::array residual(mx::array x, mx::array branch, float factor);

/// x + sigmoid(gate) · branch, `gate` (n, 1).
mx::array gated_residual(mx::array x, mx::array branch, mx::array gate);
/// factor · x, x of (n, width).
mx::array scaled(mx::array x, float factor);
/// The same with a factor for each of the (width,) columns, float32.
mx::array scaled(mx::array x, const mx::array& factors);

}  // namespace convergio::kernels
