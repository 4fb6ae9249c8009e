#pragma once

#include <optional>

#include "arch/spec.h"
#include "model/attention.h"
#include "model/ffn.h"

namespace convergio::model {

/// One decoder layer: attention and feed-forward, each in a residual branch with the norms its
/// checkpoint has.
class Block {
 public:
  Block(Weights& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer);

  /// x is (n, hidden_size); `index` is this layer's place in the cache.
  mx::array operator()(mx::array x, Cache& cache, int index) const;

 private:
  mx::array normed(const mx::array& x, const std::optional<mx::array>& norm) const;
  bool plain(const std::optional<mx::array>& out) const;
  mx::array join(mx::array x, const mx::array& branch, const std::optional<mx::array>& norm) const;

  std::optional<mx::array> attention_in_, attention_out_, ffn_in_, ffn_out_;
  Attention attention_;
  FeedForward ffn_;
  float norm_eps_;
  float residual_multiplier_;
};

}  // namespace convergio::model
