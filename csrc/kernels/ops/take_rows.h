#pragma once

#include <vector>

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// Rows rows[0], rows[1], … of x (n, width), side by side.
mx::array take_rows(const mx::array& x, const std::vector<int>& rows);

}  // namespace convergio::kernels
