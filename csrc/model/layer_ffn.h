#pragma once

#include <optional>

#include "arch/spec.h"
#include "kernels/ops/experts.h"
#include "kernels/ops/norm.h"
#include "model/ffn.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// A router and the experts that it chooses from.
struct Mixture {
  Linear router;
  kernels::Experts experts;
  std::optional<Linear> latent_in, latent_out;  ///< to what experts are given, and back
};

/// The norms of experts that stand apart from the dense feed-forward (arch::ApartSpec).
struct Apart {
  kernels::Norm router_in, experts_in, experts_out, dense_out;
};

/// The feed-forward of one layer: a dense one, a mixture of experts, or the sum of both.
class LayerFeedForward {
 public:
  LayerFeedForward(WeightLoader& weights, const arch::ModelSpec& spec,
                   const arch::LayerSpec& layer);

  /// x is (n, hidden_size), and so is the result; `stream` is what x is the norm of.
  mx::array operator()(const mx::array& x, const mx::array& stream) const;
  /// The same, added to `onto`, which is the stream.
  mx::array onto(mx::array onto, mx::array x) const;

 private:
  mx::array apart(const mx::array& x, const mx::array& stream) const;
  mx::array mixed(const mx::array& x) const;
  mx::array dense_onto(mx::array onto, const mx::array& x) const;

  std::optional<FeedForward> dense_;  ///< that every token goes through
  std::optional<Linear> dense_gate_;  ///< the sigmoid of its one output multiplies dense_'s
  std::optional<Mixture> mixture_;
  std::optional<Apart> apart_;
};

}  // namespace convergio::model
