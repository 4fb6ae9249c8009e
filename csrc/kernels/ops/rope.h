#pragma once

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// Rotary position embedding (Su et al. 2021) of the first 2 · |periods| dimensions of each head,
/// in two halves: (x[i], x[i + half]) rotates by position / periods[i]. The rotated part is then
/// multiplied by `magnitude`; dimensions past it stay as they are.
/// x is (n, heads, head_dim), its rows at positions offset, offset + 1, …; periods is (half,)
/// float32.
/// `interleaved`: (x[2i], x[2i + 1]) rotates instead.
mx::array rope(const mx::array& x, const mx::array& periods, float magnitude, int offset,
               bool interleaved = false);

}  // namespace convergio::kernels
