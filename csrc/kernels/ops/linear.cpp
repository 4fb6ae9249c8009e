#include "kernels/ops/linear.h"

#include <algorithm>
#include <utility>

#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/linear_kernel.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

mx::array mlx_linear(const mx::array& x, const Linear& linear) {
  const Matrix& weight = linear.weight;
  mx::array y =
      weight.format == Format::Dense
          ? mx::matmul(x, mx::transpose(mx::astype(weight.data, x.dtype())))
          : mx::quantized_matmul(x, weight.data, *weight.scales, weight.biases, /*transpose=*/true,
                                 weight.group_size, weight.bits, mode_name(weight.format));
  return linear.bias ? mx::add(y, mx::astype(*linear.bias, y.dtype())) : y;
}

/// True where one kernel may take these together: of one format and width, so that x is prepacked
/// once for all.
bool alike(const std::vector<Linear>& linears) {
  const Matrix& a = linears.front().weight;
  return std::ranges::all_of(linears, [&](const Linear& linear) {
    const Matrix& b = linear.weight;
    return kernels_read(b) && a.format == b.format && a.bits == b.bits &&
           a.group_size == b.group_size && a.cols == b.cols &&
           (a.format == Format::Dense ? a.data.dtype() == b.data.dtype()
                                      : a.scales->dtype() == b.scales->dtype());
  });
}

/// One op of matrices that are alike; `inputs` as LinearKernel takes them.
mx::array linear_op(const char* name, const std::vector<Linear>& linears,
                    std::optional<Activation> gate, std::vector<mx::array> inputs) {
  const int n = inputs[0].shape(0);
  LinearKernel kernel(linears, gate, /*adds=*/inputs.size() == 2, inputs);
  return cpu_op(name, {n, kernel.width()}, mx::float32, std::move(inputs), std::move(kernel));
}

}  // namespace

mx::array linear(const mx::array& x, const Linear& linear) {
  if (!own_kernels(x) || !kernels_read(linear.weight)) {
    return mlx_linear(x, linear);
  }
  return linear_op("linear", {linear}, std::nullopt, {x});
}

mx::array linear_onto(mx::array onto, const mx::array& x, const Linear& linear) {
  if (!own_kernels(x) || onto.dtype() != mx::float32 || !kernels_read(linear.weight)) {
    return mx::add(onto, mlx_linear(x, linear));
  }
  std::vector<mx::array> inputs{x};
  inputs.push_back(std::move(onto));  // moved: only then can it be written over
  return linear_op("linear_onto", {linear}, std::nullopt, std::move(inputs));
}

std::vector<mx::array> linears(const mx::array& x, const std::vector<Linear>& all) {
  if (!own_kernels(x) || !alike(all)) {
    std::vector<mx::array> ys;
    for (const Linear& each : all) {
      ys.push_back(linear(x, each));
    }
    return ys;
  }
  mx::Shape ends;
  for (const Linear& each : all) {
    ends.push_back((ends.empty() ? 0 : ends.back()) + each.weight.rows);
  }
  ends.pop_back();
  return split_columns(linear_op("linears", all, std::nullopt, {x}), ends);
}

mx::array gated_linear(const mx::array& x, const std::vector<Linear>& gate_up,
                       Activation activation) {
  if (own_kernels(x) && alike(gate_up)) {
    return linear_op("gated_linear", gate_up, activation, {x});
  }
  const std::vector<mx::array> ys =
      gate_up.size() == 1 ? mx::split(linear(x, gate_up[0]), 2, 1) : linears(x, gate_up);
  return gated(ys[0], ys[1], activation);
}

}  // namespace convergio::kernels
