#pragma once

#include <vector>

#include "mlx/array.h"

// Parts of an array without a copy: MLX's ops, or the view itself where ops are computed at once.
namespace convergio::kernels {

namespace mx = mlx::core;

/// x (n, width) cut before each of these columns.
std::vector<mx::array> split_columns(const mx::array& x, const mx::Shape& columns);

/// (n, heads · d) → (n, heads, d).
mx::array heads_of(const mx::array& x, int heads);

/// Rows [from, to) of x (n, …).
mx::array rows_between(const mx::array& x, int from, int to);

/// Rows [from, to) of each head of x (heads, n, d).
mx::array rows_of_heads(const mx::array& x, int from, int to);

/// The numbers [from, to) of each row of x (a, b, d).
mx::array part_of_rows(const mx::array& x, int from, int to);

}  // namespace convergio::kernels
