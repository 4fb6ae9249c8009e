#include "model/mamba2.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "kernels/mlx/view.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/residual.h"

namespace convergio::model {

namespace {

kernels::CausalConv load_conv(WeightLoader& weights, const arch::ConvSpec& spec) {
  kernels::CausalConv conv = weights.conv(spec);
  conv.silu = true;
  return conv;
}

/// Of gate, x, b, c and dt, one for each number; nullopt where all are 1.
std::optional<mx::array> load_factors(const arch::Multipliers& multipliers,
                                      const arch::Recurrence& sizes) {
  const int values = sizes.values();
  const std::array widths{values, values, sizes.keys(), sizes.keys(), sizes.heads};
  std::vector<float> factors;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    factors.insert(factors.end(), static_cast<std::size_t>(widths[i]),
                   multipliers.scan[i] * multipliers.recurrence_in);
  }
  if (std::ranges::all_of(factors, [](float one) { return one == 1.0F; })) {
    return std::nullopt;
  }
  return mx::array(factors.data(), {static_cast<int>(factors.size())}, mx::float32);
}

std::optional<kernels::GatedNorm> load_norm(WeightLoader& weights, const arch::ModelSpec& spec,
                                            const arch::Mamba2Spec& layer,
                                            const arch::Recurrence& sizes) {
  if (!layer.norm) {
    return std::nullopt;
  }
  return kernels::GatedNorm{.weight = weights.floats(layer.norm->name + ".weight"),
                            .eps = spec.config.norm_eps,
                            .group = sizes.values() / sizes.key_heads,
                            .gate_first = !sizes.norm_first};
}

}  // namespace

Mamba2::Mamba2(WeightLoader& weights, const arch::ModelSpec& spec, const arch::Mamba2Spec& layer,
               const arch::Recurrence& sizes)
    : in_(weights.linear(layer.in)),
      out_(weights.linear(layer.out)),
      factors_(load_factors(spec.config.multipliers, sizes)),
      conv_(load_conv(weights, layer.conv)),
      scan_{.heads = sizes.heads,
            .groups = sizes.key_heads,
            .a_log = weights.floats(layer.a_log),
            .dt_bias = weights.floats(layer.dt_bias),
            .d = weights.floats(layer.d),
            .least_dt = sizes.least_step,
            .most_dt = sizes.most_step},
      norm_(load_norm(weights, spec, layer, sizes)),
      sizes_(sizes) {
  unscale_bias(in_, spec.config.multipliers.recurrence_in);
}

/// Before the projection out.
mx::array Mamba2::mix(const mx::array& x, Segments segments, int index) const {
  const int values = sizes_.values();
  mx::array projected = kernels::linear(x, in_);
  if (factors_) {
    projected = kernels::scaled(std::move(projected), *factors_);
  }
  const std::vector<mx::array> made =
      kernels::split_columns(projected, {values, values + sizes_.channels});
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
  return norm_ ? kernels::gated_norm(y, made[0], *norm_)
               : kernels::gated(made[0], y, kernels::Activation::Silu);
}

mx::array Mamba2::operator()(const mx::array& x, Segments segments, int index) const {
  return kernels::linear(mix(x, segments, index), out_);
}

mx::array Mamba2::onto(mx::array onto, const mx::array& x, Segments segments, int index) const {
  return kernels::linear_onto(std::move(onto), mix(x, segments, index), out_);
}

}  // namespace convergio::model
