#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arch/spec.h"
#include "kernels/ops/activation.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// The activation of config.json's name of it. Throws Error.
kernels::Activation activation_named(const std::string& name);

/// The feed-forward of one layer: down(activation(gate(x)) · up(x)), or down(activation(up(x))).
class FeedForward {
 public:
  FeedForward(WeightLoader& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer);

  mx::array operator()(const mx::array& x) const;  ///< (n, hidden_size) to the same
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, mx::array x) const;

 private:
  mx::array inner(const mx::array& x) const;

  std::vector<Linear> gate_up_;  ///< {gate, up} or {gate‖up}; {up} where there is no gate
  Linear down_;
  kernels::Activation activation_;
  std::optional<kernels::Xielu> xielu_;  ///< in place of the activation
  bool gated_;
  float gate_factor_;  ///< of what the gate projects
};

}  // namespace convergio::model
