#pragma once

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

struct AttentionOptions {
  float scale = 1.0F;    ///< multiplies q · k
  float softcap = 0.0F;  ///< where > 0, scores become softcap · tanh(score / softcap)
  int window = 0;        ///< where > 0, a query sees itself and the window - 1 keys before it
};

/// Causal grouped-query attention over a KV cache (Ainslie et al. 2023).
/// q is (n, heads, head_dim). keys and values are (kv_heads, m, head_dim), m >= n, rows in the
/// order of their positions, strided heads allowed (a slice of the cache's buffer); the last query
/// stands at the last key. Query head h reads KV head h / (heads / kv_heads).
/// The result is (n, heads · head_dim) in q's dtype.
mx::array attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                    const AttentionOptions& options);

/// Writes rows (n, kv_heads, head_dim) into `buffer` (kv_heads, capacity, head_dim) from row `at`
/// on, cast to the buffer's dtype: in place where nobody else holds the buffer, else into a copy.
mx::array kv_append(mx::array buffer, const mx::array& rows, int at);

}  // namespace convergio::kernels
