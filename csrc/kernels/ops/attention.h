#pragma once

#include <optional>

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

struct AttentionOptions {
  float scale = 1.0F;             ///< multiplies q · k
  float temperature_beta = 0.0F;  ///< q grows by 1 + beta · log(1 + ⌊its position / period⌋)
  double temperature_period = 1.0;
  float softcap = 0.0F;  ///< where > 0, scores become softcap · tanh(score / softcap)
  int window = 0;        ///< where > 0, a query sees itself and the window - 1 keys before it
};

/// Causal grouped-query attention over a KV cache (Ainslie et al. 2023).
/// q is (n, heads, key_dim), keys are (kv_heads, m, key_dim) and values (kv_heads, m, value_dim),
/// m >= n, rows in the order of their positions, strided heads and rows allowed (a slice of the
/// cache's buffer, values that are a part of the keys); the last query stands at the last key.
/// `first_key` is the position of key 0 in the sequence: on a CPU it makes the result the same to
/// the bit whichever older keys are there too. Query head h reads KV head h / (heads / kv_heads).
/// `sinks`, (heads,), are scores of a key without a value for each query head (Xiao et al. 2023).
/// The result is (n, heads · value_dim) in q's dtype.
mx::array attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                    const AttentionOptions& options, int first_key = 0,
                    const std::optional<mx::array>& sinks = std::nullopt);

}  // namespace convergio::kernels
