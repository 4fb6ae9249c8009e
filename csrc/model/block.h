#pragma once

#include <optional>
#include <variant>

#include "arch/spec.h"
#include "kernels/ops/norm.h"
#include "model/attention.h"
#include "model/latent_attention.h"
#include "model/layer_ffn.h"
#include "model/per_layer.h"

namespace convergio::model {

/// One decoder layer: attention and feed-forward, each in a residual branch with the norms its
/// checkpoint has.
class Block {
 public:
  Block(WeightLoader& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer);

  /// x is (n, hidden_size); `index` is this layer's place in the caches; `part` is what it gets of
  /// the tokens beside x, where it does.
  mx::array operator()(mx::array x, Segments segments, int index, const mx::array* part) const;

 private:
  mx::array normed(const mx::array& x, const std::optional<kernels::Norm>& norm) const;
  bool plain(const std::optional<kernels::Norm>& out) const;
  mx::array join(mx::array x, const mx::array& branch,
                 const std::optional<kernels::Norm>& norm) const;

  std::optional<kernels::Norm> attention_in_, attention_out_, ffn_in_, ffn_out_;
  std::variant<SelfAttention, LatentAttention> attention_;
  LayerFeedForward ffn_;
  std::optional<PerLayer> per_layer_;
  float scalar_;  ///< of what leaves the layer
  float residual_multiplier_;
  bool parallel_;  ///< attention and feed-forward take the same normed x
};

}  // namespace convergio::model
