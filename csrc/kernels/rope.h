#pragma once

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// Rotary position embedding (Su et al. 2021) of the first 2 · |periods| dimensions of each head,
/// in two halves: (x[i], x[i + half]) turns by position / periods[i]. The turned part is then
/// multiplied by `magnitude`; dimensions past it are left alone.
/// x is (n, heads, head_dim), its rows at positions offset, offset + 1, …; periods is (half,)
/// float32.
mx::array rope(const mx::array& x, const mx::array& periods, float magnitude, int offset);

}  // namespace convergio::kernels
