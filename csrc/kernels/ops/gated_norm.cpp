#include "kernels/ops/gated_norm.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/bodies/kernel_set.h"
#include "kernels/cpu/pool.h"
#include "kernels/mlx/fast.h"
#include "kernels/mlx/row_op.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

using Arrays = std::vector<mx::array>;

Arrays times_silu(const Arrays& in) {
  return {mx::multiply(in[0], mx::multiply(in[1], mx::sigmoid(in[1])))};
}

Arrays times_sigmoid(const Arrays& in) { return {mx::multiply(in[0], mx::sigmoid(in[1]))}; }

mx::array mlx_gated_norm(const mx::array& x, const mx::array& gate, const GatedNorm& norm) {
  const Elementwise times = norm.activation == Activation::Silu ? times_silu : times_sigmoid;
  const auto in_float = [](const mx::array& a) { return mx::astype(a, mx::float32); };
  const int groups = x.shape(1) / norm.group;
  const mx::Shape by_group{x.shape(0), groups, norm.group};
  const mx::array inputs =
      norm.gate_first ? fused(times, {in_float(x), in_float(gate)}) : in_float(x);
  const bool one_weight = norm.weight.shape(0) == norm.group;
  mx::array y = fast_rms_norm(mx::reshape(inputs, by_group),
                              one_weight ? std::optional(norm.weight) : std::nullopt, norm.eps);
  if (!one_weight) {
    y = mx::multiply(y, mx::reshape(norm.weight, {1, groups, norm.group}));
  }
  y = mx::reshape(y, x.shape());
  return mx::astype(norm.gate_first ? y : fused(times, {y, in_float(gate)}), x.dtype());
}

constexpr std::int64_t kGrain = 8 * 1024;  // floats: below that a second thread costs more

/// A group's numbers: what is done first is read from the cache again.
struct GroupNorm {
  const KernelSet& set;
  Activation activation;
  bool gate_first;
  float eps;
  std::int64_t group;

  void operator()(const float* x, const float* gate, const float* weight, float* y) const {
    if (gate_first) {
      set.gated(gate, x, activation, group, y);
      set.rms_norm(y, weight, eps, group, y);
    } else {
      set.rms_norm(x, weight, eps, group, y);
      set.gated(gate, y, activation, group, y);
    }
  }
};

void normed_groups(const std::array<Rows, 3>& in, const GroupNorm& norm, float* y) {
  const auto& [x, gate, weight] = in;
  const std::int64_t groups = x.width / norm.group;
  const bool one_weight = weight.width == norm.group;
  parallel_ranges(x.n * groups, 1, kGrain / norm.group + 1,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const std::int64_t row = i / groups;
                      const std::int64_t at = i % groups * norm.group;
                      norm(x.data + row * x.row + at, gate.data + row * gate.row + at,
                           weight.data + (one_weight ? 0 : at), y + row * x.width + at);
                    }
                  });
}

}  // namespace

mx::array gated_norm(const mx::array& x, const mx::array& gate, const GatedNorm& norm) {
  if (own_kernels(x) && gate.dtype() == mx::float32) {
    const GroupNorm body{.set = kernel_set(active_isa()),
                         .activation = norm.activation,
                         .gate_first = norm.gate_first,
                         .eps = norm.eps,
                         .group = norm.group};
    return row_op("gated_norm", std::array{x, gate, norm.weight},
                  [body](const std::array<Rows, 3>& in, float* y) { normed_groups(in, body, y); });
  }
  return mlx_gated_norm(x, gate, norm);
}

}  // namespace convergio::kernels
