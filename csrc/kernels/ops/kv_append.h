#pragma once

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// True for the dtypes that the kernels read and write in a KV cache: floats.
bool is_cache_type(const mx::array& a);

/// Writes rows (1, kv_heads, n, width) into `buffer` (1, kv_heads, capacity, head_dim) from row
/// `at` and column `column` on, cast to the buffer's dtype: in place where nobody else holds the
/// buffer, else into a copy.
mx::array kv_append(mx::array buffer, const mx::array& rows, int at, int column = 0);

}  // namespace convergio::kernels
