#include "model/attention.h"

#include <utility>

#include "kernels/linear.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "kernels/view.h"

namespace convergio::model {

Attention::Attention(Weights& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer)
    : o_(weights.linear(layer.attention_o)),
      options_{.scale = spec.config.attention_scale,
               .softcap = spec.config.attention_softcap,
               .window = layer.window},
      heads_(spec.config.heads),
      kv_heads_(spec.config.kv_heads),
      head_dim_(spec.config.head_dim),
      rope_(layer.rope),
      norm_eps_(spec.config.norm_eps) {
  for (const arch::MatrixSpec& matrix : layer.qkv) {
    qkv_.push_back(weights.linear(matrix));
  }
  const bool adds_one = spec.config.family->norm_adds_one;
  if (layer.q_norm) {
    q_norm_ = weights.norm(*layer.q_norm, adds_one);
  }
  if (layer.k_norm) {
    k_norm_ = weights.norm(*layer.k_norm, adds_one);
  }
}

std::vector<mx::array> Attention::project(const mx::array& x) const {
  if (qkv_.size() == 1) {
    const int q = heads_ * head_dim_;
    return kernels::split_columns(kernels::linear(x, qkv_[0]), {q, q + kv_heads_ * head_dim_});
  }
  return kernels::linears(x, qkv_);
}

/// (n, heads · head_dim) → (n, heads, head_dim), normed and turned to its positions.
mx::array Attention::shape_heads(const mx::array& x, int heads,
                                 const std::optional<mx::array>& norm, const Cache& cache) const {
  const bool norm_each_head = norm && norm->shape(0) == head_dim_;
  mx::array y = norm && !norm_each_head ? kernels::rms_norm(x, *norm, norm_eps_) : x;
  y = kernels::heads_of(y, heads);
  if (norm_each_head) {
    y = kernels::rms_norm(y, *norm, norm_eps_);
  }
  if (rope_ < 0) {
    return y;
  }
  const Cache::RotaryTable& table = cache.rotary(rope_);
  return kernels::rope(y, table.periods, table.magnitude, cache.length());
}

/// Before the projection out.
mx::array Attention::mix(const mx::array& x, Cache& cache, int index) const {
  const std::vector<mx::array> qkv = project(x);
  const mx::array q = shape_heads(qkv[0], heads_, q_norm_, cache);
  const mx::array k = shape_heads(qkv[1], kv_heads_, k_norm_, cache);
  const mx::array v = kernels::heads_of(qkv[2], kv_heads_);
  const auto [keys, values] = cache.layer(index).append(k, v);
  return kernels::attention(q, keys, values, options_);
}

mx::array Attention::operator()(const mx::array& x, Cache& cache, int index) const {
  return kernels::linear(mix(x, cache, index), o_);
}

mx::array Attention::onto(mx::array onto, const mx::array& x, Cache& cache, int index) const {
  return kernels::linear_onto(std::move(onto), mix(x, cache, index), o_);
}

}  // namespace convergio::model
