#pragma once

#include <vector>

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// Some rows that stand one after another in a sequence, and how they are rotated.
struct RotatedRows {
  int rows;
  int offset;         ///< the position of the first
  mx::array periods;  ///< (half,) float32
  float magnitude;
};

/// Rotary position embedding (Su et al. 2021) of the first 2 · |periods| dimensions of each head,
/// in two halves: (x[i], x[i + half]) rotates by position / periods[i]. The rotated part is then
/// multiplied by `magnitude`; dimensions past it stay as they are.
/// x is (1, heads, n, head_dim), whose rows are those of `parts`, one part after another.
/// `interleaved`: (x[2i], x[2i + 1]) rotates instead.
mx::array rope(const mx::array& x, const std::vector<RotatedRows>& parts, bool interleaved = false);

/// All rows of x in one sequence, from position `offset` on.
mx::array rope(const mx::array& x, const mx::array& periods, float magnitude, int offset,
               bool interleaved = false);

}  // namespace convergio::kernels
