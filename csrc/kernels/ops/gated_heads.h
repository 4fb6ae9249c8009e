#pragma once

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// x (n, heads · head_dim), each head multiplied by the softplus of its gate, (n, heads).
mx::array gated_heads(mx::array x, mx::array gate);

}  // namespace convergio::kernels
