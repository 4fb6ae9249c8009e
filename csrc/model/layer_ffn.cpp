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
    const auto maybe = [&](const std::optional<arch::MatrixSpec>& matrix) {
      return matrix ? std::optional(weights.linear(*matrix)) : std::nullopt;
    };
    mixture_ =
        Mixture{.router = weights.linear(layer.experts->router),
                .experts = kernels::Experts(weights.experts(*layer.experts), *spec.config.experts,
                                            activation_named(spec.config.activation)),
                .latent_in = maybe(layer.experts->latent_in),
                .latent_out = maybe(layer.experts->latent_out)};
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

/// What experts make of x, in their own space where they have one.
mx::array LayerFeedForward::mixed(const mx::array& x) const {
  const mx::array logits = kernels::linear(x, mixture_->router);
  return mixture_->experts(mixture_->latent_in ? kernels::linear(x, *mixture_->latent_in) : x,
                           logits);
}

mx::array LayerFeedForward::operator()(const mx::array& x, const mx::array& stream) const {
  if (!mixture_) {
    return (*dense_)(x);
  }
  if (apart_) {
    return apart(x, stream);
  }
  mx::array y = mixed(x);
  if (mixture_->latent_out) {
    y = kernels::linear(y, *mixture_->latent_out);
  }
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
  if (mixture_->latent_out) {
    const mx::array y = mixed(x);
    onto = kernels::linear_onto(std::move(onto), y, *mixture_->latent_out);
  } else {
    const mx::array logits = kernels::linear(x, mixture_->router);
    onto = mixture_->experts.onto(std::move(onto), x, logits);
  }
  return dense_ ? dense_onto(std::move(onto), x) : onto;
}

}  // namespace convergio::model
