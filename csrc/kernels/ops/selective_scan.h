#pragma once

#include <limits>
#include <vector>

#include "kernels/ops/stateful_rows.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// The parameters of a layer's selective state space.
struct SelectiveScan {
  int heads;
  int groups;         ///< of heads that share b and c; heads is a multiple of it
  mx::array a_log;    ///< (heads,) float32
  mx::array dt_bias;  ///< (heads,) float32
  mx::array d;        ///< (heads,) float32
  float least_dt = 0.0F;
  float most_dt = std::numeric_limits<float>::infinity();
};

/// The projections of n rows.
struct SelectiveScanRows {
  mx::array x;   ///< (n, heads · head_dim)
  mx::array b;   ///< (n, groups · state_dim)
  mx::array c;   ///< (n, groups · state_dim)
  mx::array dt;  ///< (n, heads)
};

/// The selective state space of Mamba-2 (Dao and Gu 2024). For a head, with
/// δ = softplus(dt + dt_bias), at least least_dt and at most most_dt:
///   s ← s · exp(-exp(a_log) · δ) + (x · δ) ⊗ b
///   y = s · c + d · x
/// A state is (heads, head_dim, state_dim), zero before a sequence's first row. y is
/// (n, heads · head_dim) in x's dtype. On a CPU a row's result is the same to the bit wherever its
/// sequence was cut and whichever other rows are in the pass.
WithStates selective_scan(const SelectiveScanRows& rows, std::vector<StatefulRows> sequences,
                          const SelectiveScan& layer);

}  // namespace convergio::kernels
