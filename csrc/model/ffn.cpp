#include "model/ffn.h"

#include <cmath>
#include <utility>

#include "io/error.h"
#include "io/text.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/residual.h"

namespace convergio::model {

kernels::Activation activation_named(const std::string& name) {
  if (name == "silu" || name == "swish") return kernels::Activation::Silu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return kernels::Activation::GeluTanh;
  if (name == "gelu") return kernels::Activation::Gelu;
  if (name == "relu") return kernels::Activation::Relu;
  if (name == "relu2") return kernels::Activation::ReluSquared;
  throw Error(ErrorKind::UnsupportedModel,
              "[config] config.json: the activation is " + io::in_quotes(name) +
                  "; supported activations: silu, gelu, gelu_pytorch_tanh, relu, relu2.");
}

namespace {

/// From what a checkpoint holds: alpha_p and alpha_n before softplus.
kernels::Xielu load_xielu(WeightLoader& weights, const std::string& module) {
  const auto softplus = [&](const char* name) {
    return std::log1p(std::exp(weights.scalar(module + name)));
  };
  const float beta = weights.scalar(module + ".beta");
  return {.alpha_p = softplus(".alpha_p"),
          .alpha_n = beta + softplus(".alpha_n"),
          .beta = beta,
          .eps = weights.scalar(module + ".eps")};
}

}  // namespace

FeedForward::FeedForward(WeightLoader& weights, const arch::ModelSpec& spec,
                         const arch::LayerSpec& layer)
    : down_(weights.linear(layer.ffn_down)),
      activation_(activation_named(layer.xielu.empty() ? spec.config.activation : "relu")),
      gated_(spec.config.family->gated),
      gate_factor_(spec.config.multipliers.gate) {
  if (!layer.xielu.empty()) {
    xielu_ = load_xielu(weights, layer.xielu);
  }
  for (const arch::MatrixSpec& matrix : layer.gate_up) {
    gate_up_.push_back(weights.linear(matrix));
  }
}

mx::array FeedForward::inner(const mx::array& x) const {
  if (gated_ && gate_factor_ != 1.0F) {
    const std::vector<mx::array> made = kernels::linears(x, gate_up_);
    return kernels::gated(kernels::scaled(made[0], gate_factor_), made[1], activation_);
  }
  if (gated_) {
    return kernels::gated_linear(x, gate_up_, activation_);
  }
  const mx::array up = kernels::linear(x, gate_up_[0]);
  return xielu_ ? kernels::activated(up, *xielu_) : kernels::activated(up, activation_);
}

mx::array FeedForward::operator()(const mx::array& x) const {
  return kernels::linear(inner(x), down_);
}

mx::array FeedForward::onto(mx::array onto, mx::array x) const {
  x = inner(x);
  return kernels::linear_onto(std::move(onto), x, down_);
}

}  // namespace convergio::model
