#include "model/ffn.h"

#include <string>
#include <utility>

#include "io/error.h"
#include "io/text.h"
#include "kernels/linear.h"

namespace convergio::model {

namespace {

kernels::Activation activation_named(const std::string& name) {
  if (name == "silu" || name == "swish") return kernels::Activation::Silu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return kernels::Activation::GeluTanh;
  if (name == "gelu") return kernels::Activation::Gelu;
  if (name == "relu") return kernels::Activation::Relu;
  throw Error(ErrorKind::UnsupportedModel,
              "[config] config.json: the activation is " + io::in_quotes(name) +
                  "; supported activations: silu, gelu, gelu_pytorch_tanh, relu.");
}

}  // namespace

FeedForward::FeedForward(Weights& weights, const arch::ModelSpec& spec,
                         const arch::LayerSpec& layer)
    : down_(weights.linear(layer.ffn_down)), activation_(activation_named(spec.config.activation)) {
  for (const arch::MatrixSpec& matrix : layer.gate_up) {
    gate_up_.push_back(weights.linear(matrix));
  }
}

mx::array FeedForward::operator()(const mx::array& x) const {
  return kernels::linear(kernels::gated_linear(x, gate_up_, activation_), down_);
}

mx::array FeedForward::onto(mx::array onto, mx::array x) const {
  x = kernels::gated_linear(x, gate_up_, activation_);
  return kernels::linear_onto(std::move(onto), x, down_);
}

}  // namespace convergio::model
