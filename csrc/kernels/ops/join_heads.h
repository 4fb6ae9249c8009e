#pragma once

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// x (1, heads, n, d), a view of any strides, as rows of their own: (n, heads · d).
mx::array join_heads(const mx::array& x);

}  // namespace convergio::kernels
