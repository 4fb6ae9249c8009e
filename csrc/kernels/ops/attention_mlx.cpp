#include "kernels/ops/attention_mlx.h"

#include <limits>
#include <optional>

#include "mlx/fast.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

/// True where query i (at key m - n + i) may see key j: (n, m). `first` is the position of key 0.
mx::array visible(int n, int m, int first, const formats::Reach& reach) {
  const mx::array queries = mx::expand_dims(mx::arange(first + m - n, first + m, mx::int32), 1);
  const mx::array keys = mx::expand_dims(mx::arange(first, first + m, mx::int32), 0);
  const mx::array mask = mx::less_equal(keys, queries);
  if (reach.window == 0) {
    return mask;
  }
  const mx::array window(reach.window);
  const mx::array before =
      reach.chunked ? mx::remainder(queries, window) : mx::array(reach.window - 1);
  return mx::logical_and(mask, mx::greater_equal(keys, mx::subtract(queries, before)));
}

/// Soft-capped scores: no fused op of MLX has them.
mx::array softcapped(const mx::array& q, const mx::array& keys, const mx::array& values,
                     const AttentionOptions& options, int first_key,
                     const std::optional<mx::array>& sinks) {
  const int n = q.shape(0);
  const int kv_heads = keys.shape(0);
  const int group = q.shape(1) / kv_heads;
  const int head_dim = q.shape(2);
  mx::array grouped = mx::reshape(mx::transpose(q, {1, 0, 2}), {kv_heads, group, n, head_dim});
  grouped = mx::multiply(grouped, mx::array(options.scale, q.dtype()));
  const mx::array k = mx::expand_dims(mx::astype(keys, q.dtype()), 1);
  const mx::array v = mx::expand_dims(mx::astype(values, q.dtype()), 1);
  const mx::array cap(options.softcap, q.dtype());
  mx::array scores = mx::matmul(grouped, mx::swapaxes(k, -1, -2));
  scores = mx::multiply(cap, mx::tanh(mx::divide(scores, cap)));
  scores = mx::where(visible(n, keys.shape(1), first_key, options.reach), scores,
                     mx::array(-std::numeric_limits<float>::infinity(), scores.dtype()));
  const int m = keys.shape(1);
  if (sinks) {  // a key more, whose weight is dropped
    const mx::array sink = mx::reshape(mx::astype(*sinks, q.dtype()), {kv_heads, group, 1, 1});
    scores = mx::concatenate({scores, mx::broadcast_to(sink, {kv_heads, group, n, 1})}, -1);
  }
  mx::array weights = mx::softmax(scores, -1, /*precise=*/true);
  if (sinks) {
    weights = mx::slice(weights, {0, 0, 0, 0}, {kv_heads, group, n, m});
  }
  const mx::array mixed = mx::matmul(weights, v);
  return mx::reshape(mixed, {kv_heads * group, n, values.shape(2)});
}

/// Queries of positions from `first` on as their temperature has them.
mx::array tempered(const mx::array& q, const AttentionOptions& options, int first) {
  const mx::array positions = mx::add(mx::arange(first, first + q.shape(0), mx::float32),
                                      mx::array(static_cast<float>(options.temperature_offset)));
  const mx::array periods =
      mx::floor(mx::divide(positions, mx::array(static_cast<float>(options.temperature_period))));
  const mx::array growth = mx::multiply(mx::array(options.temperature_beta), mx::log1p(periods));
  const mx::array factors = mx::astype(mx::add(mx::array(1.0F), growth), q.dtype());
  return mx::multiply(q, mx::reshape(factors, {q.shape(0), 1, 1}));
}

}  // namespace

mx::array mlx_attention(const mx::array& queries, const mx::array& keys, const mx::array& values,
                        const AttentionOptions& options, int first_key,
                        const std::optional<mx::array>& sinks) {
  const int n = queries.shape(0);
  const int m = keys.shape(1);
  const mx::array q =
      options.temperature_beta == 0.0F ? queries : tempered(queries, options, first_key + m - n);
  mx::array out = q;
  if (options.softcap > 0.0F) {
    out = softcapped(q, keys, values, options, first_key, sinks);
  } else {
    // of the last query, which sees the fewest of the oldest
    const bool windowed = formats::oldest_seen(options.reach, first_key + m - 1) > first_key;
    const mx::array heads_first = mx::expand_dims(mx::transpose(q, {1, 0, 2}), 0);
    std::optional<mx::array> mask;
    if (windowed) {
      mask = visible(n, m, first_key, options.reach);
    }
    out = mx::fast::scaled_dot_product_attention(
        heads_first, mx::expand_dims(mx::astype(keys, q.dtype()), 0),
        mx::expand_dims(mx::astype(values, q.dtype()), 0), options.scale,
        windowed ? "array" : (n > 1 ? "causal" : ""), mask,
        sinks ? std::optional(mx::astype(*sinks, q.dtype())) : std::nullopt);
    out = mx::squeeze(out, 0);
  }
  return mx::reshape(mx::transpose(out, {1, 0, 2}), {n, -1});
}

}  // namespace convergio::kernels
