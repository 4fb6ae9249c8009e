#include "kernels/ops/attention_mlx.h"

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "kernels/mlx/fast.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/activation.h"
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

/// True where the query at the last of m keys, which sees the fewest of the oldest, may not see
/// all.
bool sees_less(int m, int first_key, const formats::Reach& reach) {
  return formats::oldest_seen(reach, first_key + m - 1) > first_key;
}

/// Soft-capped scores: no fused op of MLX has them.
mx::array softcapped_attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                               const AttentionOptions& options, int first_key,
                               const std::optional<mx::array>& sinks) {
  const int n = q.shape(2);
  const int m = keys.shape(2);
  const int kv_heads = keys.shape(1);
  const int group = q.shape(1) / kv_heads;
  const mx::array grouped = mx::multiply(mx::reshape(q, {kv_heads, group, n, q.shape(3)}),
                                         mx::array(options.scale, q.dtype()));
  const mx::array k = mx::transpose(mx::astype(keys, q.dtype()), {1, 0, 3, 2});
  const mx::array v = mx::transpose(mx::astype(values, q.dtype()), {1, 0, 2, 3});
  mx::array scores = softcapped(mx::matmul(grouped, k), options.softcap);
  if (n > 1 || sees_less(m, first_key, options.reach)) {
    scores = mx::where(visible(n, m, first_key, options.reach), scores,
                       mx::array(-std::numeric_limits<float>::infinity(), scores.dtype()));
  }
  if (sinks) {  // a key more, whose weight is dropped
    const mx::array sink = mx::reshape(mx::astype(*sinks, q.dtype()), {kv_heads, group, 1, 1});
    scores = mx::concatenate({scores, mx::broadcast_to(sink, {kv_heads, group, n, 1})}, -1);
  }
  mx::array weights = mx::softmax(scores, -1, /*precise=*/true);
  if (sinks) {
    weights = mx::slice(weights, {0, 0, 0, 0}, {kv_heads, group, n, m});
  }
  return mx::reshape(mx::matmul(weights, v), {1, kv_heads * group, n, values.shape(3)});
}

/// What the temperature makes of queries at a position.
float growth(const AttentionOptions& options, int position) {
  const double place = position + static_cast<double>(options.temperature_offset);
  const double periods = std::floor(place / options.temperature_period);
  return 1.0F + options.temperature_beta * static_cast<float>(std::log1p(periods));
}

/// Queries of positions from `first` on as their temperature has them.
mx::array tempered(const mx::array& q, const AttentionOptions& options, int first) {
  const int n = q.shape(2);
  std::vector<float> factors;
  for (int i = 0; i < n; ++i) {
    factors.push_back(growth(options, first + i));
  }
  return mx::multiply(q, mx::astype(mx::array(factors.begin(), {n, 1}, mx::float32), q.dtype()));
}

}  // namespace

mx::array mlx_attention(const mx::array& queries, const mx::array& keys, const mx::array& values,
                        AttentionOptions options, int first_key,
                        const std::optional<mx::array>& sinks) {
  const int n = queries.shape(2);
  const int m = keys.shape(2);
  const int first = first_key + m - n;
  mx::array q = queries;
  if (options.temperature_beta != 0.0F && n == 1) {
    options.scale *= growth(options, first);
  } else if (options.temperature_beta != 0.0F) {
    q = tempered(q, options, first);
  }
  if (options.softcap > 0.0F) {
    return without_heads(softcapped_attention(q, keys, values, options, first_key, sinks));
  }
  const bool windowed = sees_less(m, first_key, options.reach);
  return without_heads(fast_attention(
      q, mx::astype(keys, q.dtype()), mx::astype(values, q.dtype()), options.scale,
      windowed ? "array" : (n > 1 ? "causal" : ""),
      windowed ? std::optional(visible(n, m, first_key, options.reach)) : std::nullopt,
      sinks ? std::optional(mx::astype(*sinks, q.dtype())) : std::nullopt));
}

}  // namespace convergio::kernels
