#include "model/layer_ffn.h"

#include <utility>

#include "kernels/ops/linear.h"
#include "kernels/ops/residual.h"

namespace convergio::model {

LayerFeedForward::LayerFeedForward(WeightLoader& weights, const arch::ModelSpec& spec,
                                   const arch::LayerSpec& layer) {
  if (!layer.gate_up.empty()) {
    dense_.emplace(weights, spec, layer);
  }
  if (layer.shared_gate) {
    dense_gate_ = weights.linear(*layer.shared_gate);
  }
  if (layer.experts) {
    mixture_ = Mixture{weights.linear(layer.experts->router),
                       kernels::Experts(weights.experts(*layer.experts), *spec.config.experts,
                                        activation_named(spec.config.activation))};
  }
}

/// onto + what the dense one makes of x, times its gate.
mx::array LayerFeedForward::dense_onto(mx::array onto, const mx::array& x) const {
  if (!dense_gate_) {
    return dense_->onto(std::move(onto), x);
  }
  return kernels::gated_residual(std::move(onto), (*dense_)(x), kernels::linear(x, *dense_gate_));
}

mx::array LayerFeedForward::operator()(const mx::array& x) const {
  if (!mixture_) {
    return (*dense_)(x);
  }
  mx::array y = mixture_->experts(x, kernels::linear(x, mixture_->router));
  return dense_ ? dense_onto(std::move(y), x) : y;
}

mx::array LayerFeedForward::onto(mx::array onto, mx::array x) const {
  if (!mixture_) {
    return dense_->onto(std::move(onto), std::move(x));
  }
  const mx::array logits = kernels::linear(x, mixture_->router);
  onto = mixture_->experts.onto(std::move(onto), x, logits);
  return dense_ ? dense_onto(std::move(onto), x) : onto;
}

}  // namespace convergio::model
