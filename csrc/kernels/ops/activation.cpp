#include "kernels/ops/activation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "kernels/bodies/kernel_set.h"
#include "kernels/cpu/pool.h"
#include "kernels/mlx/fast.h"
#include "kernels/mlx/row_op.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

using Arrays = std::vector<mx::array>;

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
      const mx::array curve = mx::tanh(mx::multiply(scalar(std::sqrt(2.0 / M_PI), x), inner));
      return mx::multiply(mx::multiply(scalar(0.5, x), x), mx::add(scalar(1.0, x), curve));
    }
    case Activation::Gelu: {
      const mx::array curve = mx::erf(mx::multiply(x, scalar(std::sqrt(0.5), x)));
      return mx::multiply(mx::multiply(scalar(0.5, x), x), mx::add(scalar(1.0, x), curve));
    }
    case Activation::Relu:
      return mx::maximum(x, scalar(0.0, x));
    case Activation::ReluSquared:
      return mx::square(mx::maximum(x, scalar(0.0, x)));
    case Activation::Sigmoid:
      return mx::sigmoid(x);
  }
  throw std::logic_error("[activation] an activation outside its enumeration.");
}

constexpr std::int64_t kGrain = 8 * 1024;  // floats: below that a second thread costs more

/// Row by row; a long single row in pieces: body(row, first number of it, numbers).
template <typename Body>
void for_pieces(const Rows& rows, const Body& body) {
  const std::int64_t width = rows.width;
  const std::int64_t piece = rows.n == 1 ? range_size(width, 64, kGrain) : width;
  const std::int64_t pieces = (width + piece - 1) / piece;
  parallel_ranges(rows.n * pieces, 1, kGrain / piece, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t at = i % pieces * piece;
      body(i / pieces, at, std::min(piece, width - at));
    }
  });
}

void gated_rows(const KernelSet& set, const Rows& gate, const Rows& up, Activation activation,
                float* y) {
  for_pieces(gate, [&](std::int64_t row, std::int64_t at, std::int64_t width) {
    set.gated(gate.data + row * gate.row + at, up.data + row * up.row + at, activation, width,
              y + row * gate.width + at);
  });
}

bool own_rows(const mx::array& x) {
  return own_kernels(x) && x.dtype() == mx::float32 && x.ndim() == 2;
}

template <Activation kind>
Arrays gated_by(const Arrays& in) {
  return {mx::multiply(activate(in[0], kind), in[1])};
}

template <Activation kind>
Arrays activated_by(const Arrays& in) {
  return {activate(in[0], kind)};
}

/// What MLX compiles of an activation, with a gate and without.
struct Functions {
  Elementwise gated;
  Elementwise activated;
};

template <Activation kind>
constexpr Functions kFunctions{gated_by<kind>, activated_by<kind>};

const Functions& functions_of(Activation activation) {
  switch (activation) {
    case Activation::Silu:
      return kFunctions<Activation::Silu>;
    case Activation::GeluTanh:
      return kFunctions<Activation::GeluTanh>;
    case Activation::Gelu:
      return kFunctions<Activation::Gelu>;
    case Activation::Relu:
      return kFunctions<Activation::Relu>;
    case Activation::ReluSquared:
      return kFunctions<Activation::ReluSquared>;
    case Activation::Sigmoid:
      return kFunctions<Activation::Sigmoid>;
  }
  throw std::logic_error("[activation] an activation outside its enumeration.");
}

/// Of x, alpha_p, alpha_n, beta and eps.
Arrays xielu_of(const Arrays& in) {
  const mx::array& x = in[0];
  const mx::array above = mx::multiply(in[1], mx::square(x));
  const mx::array below = mx::multiply(in[2], mx::subtract(mx::expm1(mx::minimum(x, in[4])), x));
  return {mx::add(mx::where(mx::greater(x, scalar(0.0, x)), above, below), mx::multiply(in[3], x))};
}

mx::array mlx_xielu(const mx::array& x, const Xielu& p) {
  return fused(xielu_of, {x, scalar(p.alpha_p, x), scalar(p.alpha_n, x), scalar(p.beta, x),
                          scalar(p.eps, x)});
}

}  // namespace

mx::array softcapped(const mx::array& x, float cap) {
  return fused(
      [](const Arrays& in) {
        return Arrays{mx::multiply(in[1], mx::tanh(mx::divide(in[0], in[1])))};
      },
      {x, scalar(cap, x)});
}

mx::array gated(const mx::array& gate, const mx::array& up, Activation activation) {
  if (!own_kernels(gate) || up.dtype() != mx::float32 || gate.ndim() != 2) {
    return fused(functions_of(activation).gated, {gate, up});
  }
  return row_op(
      "gated", std::array{gate, up},
      [&set = kernel_set(active_isa()), activation](const std::array<Rows, 2>& in, float* y) {
        gated_rows(set, in[0], in[1], activation, y);
      });
}

mx::array activated(const mx::array& x, Activation activation) {
  if (!own_rows(x)) {
    return fused(functions_of(activation).activated, {x});
  }
  return row_op(
      "activated", std::array{x},
      [&set = kernel_set(active_isa()), activation](const std::array<Rows, 1>& in, float* y) {
        for_pieces(in[0], [&](std::int64_t row, std::int64_t at, std::int64_t width) {
          set.gated(in[0].data + row * in[0].row + at, nullptr, activation, width,
                    y + row * in[0].width + at);
        });
      });
}

mx::array activated(const mx::array& x, const Xielu& parameters) {
  if (!own_rows(x)) {
    return mlx_xielu(x, parameters);
  }
  return row_op(
      "xielu", std::array{x},
      [&set = kernel_set(active_isa()), parameters](const std::array<Rows, 1>& in, float* y) {
        for_pieces(in[0], [&](std::int64_t row, std::int64_t at, std::int64_t width) {
          set.xielu(in[0].data + row * in[0].row + at, parameters, width,
                    y + row * in[0].width + at);
        });
      });
}

}  // namespace convergio::kernels
