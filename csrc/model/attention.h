#pragma once

#include <optional>
#include <vector>

#include "arch/spec.h"
#include "kernels/attention.h"
#include "model/cache.h"
#include "model/weights.h"

namespace convergio::model {

/// Grouped-query self-attention of one layer.
class Attention {
 public:
  Attention(Weights& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer);

  /// x is (n, hidden_size), normed; its keys and values join layer `index` of the cache.
  mx::array operator()(const mx::array& x, Cache& cache, int index) const;
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, const mx::array& x, Cache& cache, int index) const;

 private:
  mx::array mix(const mx::array& x, Cache& cache, int index) const;
  std::vector<mx::array> project(const mx::array& x) const;
  mx::array shape_heads(const mx::array& x, int heads, const std::optional<mx::array>& norm,
                        const Cache& cache) const;

  std::vector<Linear> qkv_;  ///< {q, k, v} or {q‖k‖v}
  Linear o_;
  std::optional<mx::array> q_norm_, k_norm_;
  kernels::AttentionOptions options_;
  int heads_, kv_heads_, head_dim_;
  int rope_;  ///< index of the cache's rotary table; -1: none
  float norm_eps_;
};

}  // namespace convergio::model
