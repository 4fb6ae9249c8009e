#pragma once

#include <optional>
#include <vector>

#include "formats/reach.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

struct AttentionOptions {
  float scale = 1.0F;             ///< multiplies q · k
  float temperature_beta = 0.0F;  ///< q grows by 1 + beta · log(1 + ⌊its position / period⌋)
  double temperature_period = 1.0;
  double temperature_offset = 0.0;  ///< added to positions for that
  float softcap = 0.0F;             ///< where > 0, scores become softcap · tanh(score / softcap)
  formats::Reach reach{};
};

/// The keys and values that some rows of queries see, the last of which stands at the last key.
struct SeenKeys {
  int rows;
  mx::array keys;    ///< (1, kv_heads, m, key_dim), m >= rows, in the order of their positions
  mx::array values;  ///< (1, kv_heads, m, value_dim)
  int first_key;     ///< the position of key 0 in the sequence
};

/// Causal grouped-query attention over KV caches (Ainslie et al. 2023).
/// q is (1, heads, n, key_dim), whose rows are those of `seen`, one after another. Keys and values
/// may have strided heads and rows (a slice of a cache's buffer, values that are a part of the
/// keys). On a CPU a row's result is the same to the bit whichever older keys and other rows are
/// there too. Query head h reads KV head h / (heads / kv_heads). `sinks`, (heads,), are scores of a
/// key without a value for each query head (Xiao et al. 2023). The result is (n, heads · value_dim)
/// in q's dtype.
mx::array attention(const mx::array& q, std::vector<SeenKeys> seen, const AttentionOptions& options,
                    const std::optional<mx::array>& sinks = std::nullopt);

/// All rows of q in one sequence.
mx::array attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                    const AttentionOptions& options, int first_key = 0,
                    const std::optional<mx::array>& sinks = std::nullopt);

}  // namespace convergio::kernels
