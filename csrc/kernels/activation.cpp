#include "kernels/activation.h"

#include <cmath>
#include <stdexcept>

#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

mx::array scalar(double value, const mx::array& like) {
  return mx::array(static_cast<float>(value), like.dtype());
}

mx::array activate(const mx::array& x, Activation activation) {
  switch (activation) {
    case Activation::Silu:
      return mx::multiply(x, mx::sigmoid(x));
    case Activation::GeluTanh: {
      // 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x³))): Hendrycks and Gimpel 2016
      const mx::array cubic = mx::multiply(mx::multiply(x, x), x);
      const mx::array inner = mx::add(x, mx::multiply(scalar(0.044715, x), cubic));
      const mx::array bend = mx::tanh(mx::multiply(scalar(std::sqrt(2.0 / M_PI), x), inner));
      return mx::multiply(mx::multiply(scalar(0.5, x), x), mx::add(scalar(1.0, x), bend));
    }
    case Activation::Gelu: {
      const mx::array bend = mx::erf(mx::multiply(x, scalar(std::sqrt(0.5), x)));
      return mx::multiply(mx::multiply(scalar(0.5, x), x), mx::add(scalar(1.0, x), bend));
    }
    case Activation::Relu:
      return mx::maximum(x, scalar(0.0, x));
  }
  throw std::logic_error("[activation] an activation outside its enumeration.");
}

}  // namespace

mx::array gated(const mx::array& gate, const mx::array& up, Activation activation) {
  return mx::multiply(activate(gate, activation), up);
}

}  // namespace convergio::kernels
