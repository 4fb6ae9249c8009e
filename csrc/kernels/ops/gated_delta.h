#pragma once

#include <vector>

#include "kernels/ops/stateful_rows.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// The parameters of a layer's gated delta rule.
struct GatedDelta {
  int k_heads;
  int v_heads;  ///< a multiple of k_heads; value head h goes with key head h · k_heads / v_heads
  mx::array a_log;          ///< (v_heads,) float32
  mx::array dt_bias;        ///< float32, as wide as GatedDeltaRows::a
  float beta_scale = 1.0F;  ///< 2 where eigenvalues of a transition may be negative
  float eps = 1e-6F;        ///< added to the sums of squares of q and of k
};

/// The projections of n rows.
struct GatedDeltaRows {
  mx::array q;  ///< (n, k_heads · d_k)
  mx::array k;  ///< (n, k_heads · d_k)
  mx::array v;  ///< (n, v_heads · d_v)
  mx::array a;  ///< (n, v_heads), or (n, v_heads · d_k): a decay for each key dimension
  mx::array b;  ///< (n, v_heads)

  /// Rows [from, to).
  GatedDeltaRows between(int from, int to) const;
};

/// The gated delta rule (Yang et al. 2024; with a decay for each key dimension: Kimi Team 2025).
/// For a value head, q and k scaled to length 1 and q by d_k^-½:
///   s ← s · exp(-exp(a_log) · softplus(a + dt_bias))
///   s ← s + k ⊗ (v - s · k) · beta_scale · sigmoid(b)
///   y = s · q
/// A state is (v_heads, d_v, d_k), zero before a sequence's first row. y is (n, v_heads · d_v) in
/// q's dtype. On a CPU a row's result is the same to the bit wherever its sequence was cut and
/// whichever other rows are in the pass.
WithStates gated_delta(const GatedDeltaRows& rows, std::vector<StatefulRows> sequences,
                       const GatedDelta& layer);

}  // namespace convergio::kernels
