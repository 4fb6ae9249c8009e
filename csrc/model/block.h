#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "arch/spec.h"
#include "kernels/ops/norm.h"
#include "model/attention.h"
#include "model/gated_delta_net.h"
#include "model/kimi_delta.h"
#include "model/latent_attention.h"
#include "model/layer_ffn.h"
#include "model/mamba2.h"
#include "model/per_layer.h"
#include "model/short_conv.h"

namespace convergio::model {

/// What mixes the tokens of a sequence. Each takes normed x, the sequences of a pass and the
/// layer's place in their caches.
using Mixer =
    std::variant<SelfAttention, LatentAttention, ShortConv, GatedDeltaNet, KimiDelta, Mamba2>;

/// One of those, and what it makes is multiplied with before it joins the stream.
struct Branch {
  Mixer mixer;
  float factor;
};

/// One decoder layer: what mixes tokens (attention, a recurrence, or both side by side) and
/// feed-forward, each in a residual branch with the norms its checkpoint has.
class Block {
 public:
  Block(WeightLoader& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer);

  /// x is (n, hidden_size); `index` is this layer's place in the caches; `part` is what it gets of
  /// the tokens beside x, where it does.
  mx::array operator()(mx::array x, Segments segments, int index, const mx::array* part) const;

 private:
  mx::array normed(const mx::array& x, const std::optional<kernels::Norm>& norm) const;
  mx::array mix(mx::array x, const mx::array& in, Segments segments, int index) const;
  mx::array feed(mx::array x, mx::array in) const;
  static bool plain(const std::optional<kernels::Norm>& out, float factor);
  mx::array join(mx::array x, const mx::array& branch, const std::optional<kernels::Norm>& norm,
                 float factor) const;

  std::optional<kernels::Norm> mixer_in_, mixer_out_, ffn_in_, ffn_out_;
  std::vector<Branch> mixers_;
  std::optional<LayerFeedForward> ffn_;
  std::optional<PerLayer> per_layer_;
  float scalar_;      ///< of what leaves the layer
  float ffn_factor_;  ///< of what the feed-forward adds to the stream
  bool parallel_;     ///< mixers and feed-forward take the same normed x
};

}  // namespace convergio::model
