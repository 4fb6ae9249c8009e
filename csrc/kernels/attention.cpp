#include "kernels/attention.h"

#include <limits>
#include <utility>

#include "mlx/fast.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

/// True where query i (at key m - n + i) may see key j: (n, m).
mx::array visible(int n, int m, int window) {
  const mx::array queries = mx::expand_dims(mx::arange(m - n, m, mx::int32), 1);
  const mx::array keys = mx::expand_dims(mx::arange(0, m, mx::int32), 0);
  mx::array mask = mx::less_equal(keys, queries);
  if (window > 0) {
    mask = mx::logical_and(mask, mx::greater(keys, mx::subtract(queries, mx::array(window))));
  }
  return mask;
}

/// Scores are squashed before the softmax, which no fused op does.
mx::array softcapped(const mx::array& q, const mx::array& keys, const mx::array& values,
                     const AttentionOptions& options) {
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
  scores = mx::where(visible(n, keys.shape(1), options.window), scores,
                     mx::array(-std::numeric_limits<float>::infinity(), scores.dtype()));
  const mx::array mixed = mx::matmul(mx::softmax(scores, -1, /*precise=*/true), v);
  return mx::reshape(mixed, {kv_heads * group, n, head_dim});
}

}  // namespace

mx::array attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                    const AttentionOptions& options) {
  const int n = q.shape(0);
  const int m = keys.shape(1);
  mx::array out = q;
  if (options.softcap > 0.0F) {
    out = softcapped(q, keys, values, options);
  } else {
    const bool windowed = options.window > 0 && options.window < m;
    const mx::array heads_first = mx::expand_dims(mx::transpose(q, {1, 0, 2}), 0);
    std::optional<mx::array> mask;
    if (windowed) {
      mask = visible(n, m, options.window);
    }
    out = mx::fast::scaled_dot_product_attention(
        heads_first, mx::expand_dims(mx::astype(keys, q.dtype()), 0),
        mx::expand_dims(mx::astype(values, q.dtype()), 0), options.scale,
        windowed ? "array" : (n > 1 ? "causal" : ""), mask);
    out = mx::squeeze(out, 0);
  }
  return mx::reshape(mx::transpose(out, {1, 0, 2}), {n, -1});
}

mx::array kv_append(mx::array buffer, const mx::array& rows, int at) {
  const mx::array update = mx::astype(mx::transpose(rows, {1, 0, 2}), buffer.dtype());
  const mx::Shape start{0, at, 0};
  const mx::Shape stop{buffer.shape(0), at + rows.shape(0), buffer.shape(2)};
  return mx::slice_update(std::move(buffer), update, start, stop);
}

}  // namespace convergio::kernels
