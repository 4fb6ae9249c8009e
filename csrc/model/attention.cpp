#include "model/attention.h"

#include <utility>

#include "kernels/mlx/view.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/gated_heads.h"
#include "kernels/ops/join_heads.h"
#include "kernels/ops/linear.h"

namespace convergio::model {

kernels::AttentionOptions attention_options(const arch::Config& config,
                                            const arch::LayerConfig& layer) {
  const bool tempered = !config.tempers_unrotated || layer.rope < 0;
  return {.scale = config.attention_scale * config.multipliers.of_scores(),
          .temperature_beta = tempered ? config.temperature_beta : 0.0F,
          .temperature_period = config.temperature_period,
          .temperature_offset = config.temperature_offset,
          .softcap = config.attention_softcap,
          .reach = layer.reach()};
}

SelfAttention::SelfAttention(WeightLoader& weights, const arch::ModelSpec& spec,
                             const arch::LayerSpec& layer)
    : o_(weights.linear(layer.attention_o)),
      q_norm_(weights.norm(layer.q_norm, spec.config)),
      k_norm_(weights.norm(layer.k_norm, spec.config)),
      v_norm_(weights.norm(layer.v_norm, spec.config)),
      options_(attention_options(spec.config, layer.config)),
      sizes_(layer.config),
      norm_after_rope_(spec.config.family->qk_norm_after_rope),
      interleaved_(spec.config.rope_interleaved) {
  for (const arch::MatrixSpec& matrix : layer.qkv) {
    qkv_.push_back(weights.linear(matrix));
    unscale_bias(qkv_.back(), spec.config.multipliers.attention_in);
  }
  unscale_bias(o_, spec.config.multipliers.attention_in);
  if (layer.attention_gate) {
    gate_ = weights.linear(*layer.attention_gate);
  }
  if (layer.head_gate) {
    head_gate_ = weights.linear(*layer.head_gate);
  }
  if (!layer.sinks.empty()) {
    sinks_ = weights.vector(layer.sinks);
  }
}

/// {q, k, v}; k and v are one where keys are values; {q} where they are another layer's.
std::vector<mx::array> SelfAttention::project(const mx::array& x) const {
  if (qkv_.size() == 1 && !sizes_.shares_keys()) {
    const int q = (sizes_.gated_queries ? 2 : 1) * sizes_.heads * sizes_.head_dim;
    const int kv = sizes_.kv_heads * sizes_.head_dim;
    return kernels::split_columns(kernels::linear(x, qkv_[0]), {q, q + kv});
  }
  if (qkv_.size() == 1) {
    return {kernels::linear(x, qkv_[0])};
  }
  std::vector<mx::array> projected = kernels::linears(x, qkv_);
  if (sizes_.keys_are_values) {
    projected.push_back(projected.back());
  }
  return projected;
}

/// (n, heads · head_dim) → (1, heads, n, head_dim), normed and rotated to its positions.
mx::array SelfAttention::shape_heads(const mx::array& x, int heads,
                                     const std::optional<kernels::Norm>& norm,
                                     Segments segments) const {
  const bool norm_each_head = norm && norm->weight.shape(-1) == sizes_.head_dim;
  const mx::array y = norm && !norm_each_head ? kernels::norm(x, *norm) : x;
  return rotate_heads(kernels::heads_of(y, heads), norm_each_head ? norm : std::nullopt, segments);
}

/// (1, heads, n, head_dim), each head normed and rotated.
mx::array SelfAttention::rotate_heads(const mx::array& x, const std::optional<kernels::Norm>& norm,
                                      Segments segments) const {
  if (norm && norm_after_rope_) {
    return kernels::norm(rotated(x, segments, sizes_.rope, interleaved_), *norm);
  }
  return rotated(norm ? kernels::norm(x, *norm) : x, segments, sizes_.rope, interleaved_);
}

std::vector<kernels::SeenKeys> SelfAttention::append(const mx::array& k, const mx::array& v,
                                                     Segments segments, int index) const {
  const mx::array keys = shape_heads(k, sizes_.kv_heads, k_norm_, segments);
  mx::array values = kernels::heads_of(v, sizes_.kv_heads);
  if (v_norm_) {
    values = kernels::norm(values, *v_norm_);
  }
  return seen_keys(segments, index, [&](LayerCache& layer, int from, int to) {
    return layer.append(kernels::rows_between(keys, from, to),
                        kernels::rows_between(values, from, to));
  });
}

/// Before the projection out.
mx::array SelfAttention::mix(const mx::array& x, Segments segments, int index) const {
  const std::vector<mx::array> qkv = project(x);
  const int head_dim = sizes_.head_dim;
  std::optional<mx::array> gate;
  const auto queries = [&] {
    if (!sizes_.gated_queries) {
      return shape_heads(qkv[0], sizes_.heads, q_norm_, segments);
    }
    const mx::array both = kernels::heads_of(qkv[0], sizes_.heads);
    gate = kernels::join_heads(kernels::part_of_rows(both, head_dim, 2 * head_dim));
    return rotate_heads(kernels::part_of_rows(both, 0, head_dim), q_norm_, segments);
  };
  const mx::array q = queries();
  const auto there = [](const LayerCache& layer, int from, int to) {
    return layer.seen_by(to - from);
  };
  mx::array mixed =
      kernels::attention(q,
                         sizes_.shares_keys() ? seen_keys(segments, index, there)
                                              : append(qkv[1], qkv[2], segments, index),
                         options_, sinks_);
  if (head_gate_) {
    return kernels::gated_heads(std::move(mixed), kernels::linear(x, *head_gate_));
  }
  if (gate_) {
    gate = kernels::linear(x, *gate_);
  }
  return gate ? kernels::gated(*gate, mixed, kernels::Activation::Sigmoid) : mixed;
}

mx::array SelfAttention::operator()(const mx::array& x, Segments segments, int index) const {
  return kernels::linear(mix(x, segments, index), o_);
}

mx::array SelfAttention::onto(mx::array onto, const mx::array& x, Segments segments,
                              int index) const {
  return kernels::linear_onto(std::move(onto), mix(x, segments, index), o_);
}

}  // namespace convergio::model
