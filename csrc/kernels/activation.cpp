#include "kernels/activation.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kernels/kernel_set.h"
#include "kernels/operand.h"
#include "kernels/pool.h"
#include "kernels/primitive.h"
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

constexpr std::int64_t kGrain = 8 * 1024;  // floats: below that a second thread costs more

}  // namespace

mx::array gated(const mx::array& gate, const mx::array& up, Activation activation) {
  if (!own_kernels(gate) || up.dtype() != mx::float32 || gate.ndim() != 2) {
    return mx::multiply(activate(gate, activation), up);
  }
  auto prepare = [&set = kernel_set(active_isa()), activation](const std::vector<mx::array>& in,
                                                               mx::array& out) -> Work {
    const Rows gates = rows_of(in[0]);
    const Rows ups = rows_of(in[1]);
    take_over(in[0], out);
    return [&set, activation, gates, ups, y = out.data<float>()] {
      std::vector<float> spare_gate;
      std::vector<float> spare_up;
      const Rows g = straight(gates, spare_gate);
      const Rows u = straight(ups, spare_up);
      // a long single row is shared too: pieces of it, then
      const std::int64_t piece = g.n == 1 ? range_size(g.width, 64, kGrain) : g.width;
      const std::int64_t pieces = (g.width + piece - 1) / piece;
      parallel_ranges(g.n * pieces, 1, kGrain / piece, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const std::int64_t row = i / pieces;
          const std::int64_t at = i % pieces * piece;
          const std::int64_t width = std::min(piece, g.width - at);
          set.gated(g.data + row * g.row + at, u.data + row * u.row + at, activation, width,
                    y + row * g.width + at);
        }
      });
    };
  };
  return cpu_op("gated", gate.shape(), mx::float32, {gate, up}, std::move(prepare));
}

}  // namespace convergio::kernels
