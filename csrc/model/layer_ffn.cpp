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
  if (layer.apart) {
    apart_ = Apart{.router_in = weights.scaled_norm(layer.apart->router_in, spec.config),
                   .experts_in = weights.norm(layer.apart->experts_in, spec.config),
                   .experts_out = weights.norm(layer.apart->experts_out, spec.config),
                   .dense_out = weights.norm(layer.apart->dense_out, spec.config)};
  }
}

/// onto + what the dense one makes of x, times its gate.
mx::array LayerFeedForward::dense_onto(mx::array onto, const mx::array& x) const {
  if (!dense_gate_) {
    return dense_->onto(std::move(onto), x);
  }
  return kernels::gated_residual(std::move(onto), (*dense_)(x), kernels::linear(x, *dense_gate_));
}

mx::array LayerFeedForward::apart(const mx::array& x, const mx::array& stream) const {
  const mx::array logits =
      kernels::linear(kernels::norm(stream, apart_->router_in), mixture_->router);
  const mx::array y = mixture_->experts(kernels::norm(stream, apart_->experts_in), logits);
  return kernels::residual(kernels::norm((*dense_)(x), apart_->dense_out),
                           kernels::norm(y, apart_->experts_out), 1.0F);
}

mx::array LayerFeedForward::operator()(const mx::array& x, const mx::array& stream) const {
  if (!mixture_) {
    return (*dense_)(x);
  }
  if (apart_) {
    return apart(x, stream);
  }
  mx::array y = mixture_->experts(x, kernels::linear(x, mixture_->router));
  return dense_ ? dense_onto(std::move(y), x) : y;
}

mx::array LayerFeedForward::onto(mx::array onto, mx::array x) const {
  if (!mixture_) {
    return dense_->onto(std::move(onto), std::move(x));
  }
  if (apart_) {
    const mx::array y = apart(x, onto);
    return kernels::residual(std::move(onto), y, 1.0F);
  }
  const mx::array logits = kernels::linear(x, mixture_->router);
  onto = mixture_->experts.onto(std::move(onto), x, logits);
  return dense_ ? dense_onto(std::move(onto), x) : onto;
}

}  // namespace convergio::model
