#pragma once

#include <vector>

#include "arch/spec.h"
#include "kernels/activation.h"
#include "model/weights.h"

namespace convergio::model {

/// The gated feed-forward of one layer: down(activation(gate(x)) · up(x)).
class FeedForward {
 public:
  FeedForward(Weights& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer);

  mx::array operator()(const mx::array& x) const;  ///< (n, hidden_size) to the same
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, mx::array x) const;

 private:
  std::vector<Linear> gate_up_;  ///< {gate, up} or {gate‖up}
  Linear down_;
  kernels::Activation activation_;
};

}  // namespace convergio::model
