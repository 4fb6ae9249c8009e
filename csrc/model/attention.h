#pragma once

#include <optional>
#include <vector>

#include "arch/spec.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/norm.h"
#include "model/segments.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// How the scores of a layer are made.
kernels::AttentionOptions attention_options(const arch::Config& config,
                                            const arch::LayerConfig& layer);

/// Grouped-query self-attention of one layer.
class SelfAttention {
 public:
  SelfAttention(WeightLoader& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer);

  /// x is (n, hidden_size), normed; its keys and values join layer `index` of the caches, or are
  /// there already where an earlier layer has the same.
  mx::array operator()(const mx::array& x, Segments segments, int index) const;
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, const mx::array& x, Segments segments, int index) const;

 private:
  mx::array mix(const mx::array& x, Segments segments, int index) const;
  std::vector<mx::array> project(const mx::array& x) const;
  mx::array shape_heads(const mx::array& x, int heads, const std::optional<kernels::Norm>& norm,
                        Segments segments) const;
  mx::array rotate_heads(const mx::array& x, const std::optional<kernels::Norm>& norm,
                         Segments segments) const;
  std::vector<kernels::SeenKeys> append(const mx::array& k, const mx::array& v, Segments segments,
                                        int index) const;

  std::vector<Linear> qkv_;  ///< {q, k, v} or {q‖k‖v}; {q, k}: keys are values; {q}: shared
  Linear o_;
  std::optional<Linear> gate_, head_gate_;
  std::optional<kernels::Norm> q_norm_, k_norm_, v_norm_;
  std::optional<mx::array> sinks_;
  kernels::AttentionOptions options_;
  arch::LayerConfig sizes_;
  bool norm_after_rope_, interleaved_;
};

}  // namespace convergio::model
