#include "model/mamba2.h"

#include <utility>
#include <vector>

#include "kernels/mlx/view.h"
#include "kernels/ops/linear.h"

namespace convergio::model {

namespace {

kernels::CausalConv load_conv(WeightLoader& weights, const arch::ConvSpec& spec) {
  kernels::CausalConv conv = weights.conv(spec);
  conv.silu = true;
  return conv;
}

}  // namespace

Mamba2::Mamba2(WeightLoader& weights, const arch::ModelSpec& spec, const arch::Mamba2Spec& layer,
               const arch::Recurrence& sizes)
    : in_(weights.linear(layer.in)),
      out_(weights.linear(layer.out)),
      conv_(load_conv(weights, layer.conv)),
      scan_{.heads = sizes.heads,
            .groups = sizes.key_heads,
            .a_log = weights.floats(layer.a_log),
            .dt_bias = weights.floats(layer.dt_bias),
            .d = weights.floats(layer.d),
            .least_dt = sizes.least_step,
            .most_dt = sizes.most_step},
      norm_{.weight = weights.floats(layer.norm.name + ".weight"),
            .eps = spec.config.norm_eps,
            .group = sizes.values() / sizes.key_heads,
            .gate_first = true},
      sizes_(sizes) {}

/// Before the projection out.
mx::array Mamba2::mix(const mx::array& x, Segments segments, int index) const {
  const int values = sizes_.values();
  const std::vector<mx::array> made =
      kernels::split_columns(kernels::linear(x, in_), {values, values + sizes_.channels});
  const mx::array xbc =
      with_states(segments, index, StatePart::Inputs, [&](int from, int to, auto sequences) {
        return kernels::causal_conv(rows_of(made[1], from, to), std::move(sequences), conv_);
      });
  const std::vector<mx::array> parts =
      kernels::split_columns(xbc, {values, values + sizes_.keys()});
  const mx::array y =
      with_states(segments, index, StatePart::Matrices, [&](int from, int to, auto sequences) {
        const kernels::SelectiveScanRows rows{.x = rows_of(parts[0], from, to),
                                              .b = rows_of(parts[1], from, to),
                                              .c = rows_of(parts[2], from, to),
                                              .dt = rows_of(made[2], from, to)};
        return kernels::selective_scan(rows, std::move(sequences), scan_);
      });
  return kernels::gated_norm(y, made[0], norm_);
}

mx::array Mamba2::operator()(const mx::array& x, Segments segments, int index) const {
  return kernels::linear(mix(x, segments, index), out_);
}

mx::array Mamba2::onto(mx::array onto, const mx::array& x, Segments segments, int index) const {
  return kernels::linear_onto(std::move(onto), mix(x, segments, index), out_);
}

}  // namespace convergio::model
