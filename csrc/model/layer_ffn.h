#pragma once

#include <optional>

#include "arch/spec.h"
#include "kernels/ops/experts.h"
#include "model/ffn.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// A router and the experts that it chooses from.
struct Mixture {
  Linear router;
  kernels::Experts experts;
};

/// The feed-forward of one layer: a dense one, a mixture of experts, or the sum of both.
class LayerFeedForward {
 public:
  LayerFeedForward(WeightLoader& weights, const arch::ModelSpec& spec,
                   const arch::LayerSpec& layer);

  mx::array operator()(const mx::array& x) const;  ///< (n, hidden_size) to the same
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, mx::array x) const;

 private:
  mx::array dense_onto(mx::array onto, const mx::array& x) const;

  std::optional<FeedForward> dense_;  ///< that every token goes through
  std::optional<Linear> dense_gate_;  ///< the sigmoid of its one output multiplies dense_'s
  std::optional<Mixture> mixture_;
};

}  // namespace convergio::model
