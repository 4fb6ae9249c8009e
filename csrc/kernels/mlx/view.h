#pragma once

#include <vector>

#include "mlx/array.h"

// Parts of an array without a copy: MLX's ops, or the view itself where ops are computed at once.
// The heads of n rows are (1, heads, n, d), as MLX's fast ops take them.
namespace convergio::kernels {

namespace mx = mlx::core;

/// x (n, width) cut before each of these columns.
std::vector<mx::array> split_columns(const mx::array& x, const mx::Shape& columns);

/// (n, heads · d) → (1, heads, n, d).
mx::array heads_of(const mx::array& x, int heads);

/// (1, heads, n, d) → (n, heads · d), by MLX's ops.
mx::array without_heads(const mx::array& x);

/// Rows [from, to) of x, (n, width) or (1, heads, n, d).
mx::array rows_between(const mx::array& x, int from, int to);

/// The numbers [from, to) of each row of x (1, heads, n, d).
mx::array part_of_rows(const mx::array& x, int from, int to);

}  // namespace convergio::kernels
