#include "model/kimi_delta.h"

#include <utility>

#include "kernels/mlx/view.h"
#include "kernels/ops/join_columns.h"
#include "kernels/ops/linear.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::model {

namespace {

kernels::CausalConv load_convs(WeightLoader& weights, const std::vector<arch::ConvSpec>& specs) {
  kernels::CausalConv conv = weights.conv(specs);
  conv.silu = true;
  return conv;
}

mx::array flat(const mx::array& numbers) {
  mx::array all = mx::contiguous(mx::flatten(numbers));
  mx::eval(all);
  return all;
}

}  // namespace

KimiDelta::KimiDelta(WeightLoader& weights, const arch::ModelSpec& spec,
                     const arch::KimiDeltaSpec& layer, const arch::Recurrence& sizes)
    : a_(weights.linear(layer.a)),
      gate_(weights.linear(layer.gate)),
      out_(weights.linear(layer.out)),
      conv_(load_convs(weights, layer.convs)),
      rule_{.k_heads = sizes.key_heads,
            .v_heads = sizes.heads,
            .a_log = flat(weights.floats(layer.a_log)),
            .dt_bias = flat(weights.floats(layer.dt_bias))},
      norm_{.weight = weights.floats(layer.norm.name + ".weight"),
            .eps = spec.config.norm_eps,
            .group = sizes.value_dim,
            .activation = kernels::Activation::Sigmoid},
      sizes_(sizes) {
  for (const arch::MatrixSpec& matrix : layer.in) {
    in_.push_back(weights.linear(matrix));
  }
}

/// Before the projection out.
mx::array KimiDelta::mix(const mx::array& x, Segments segments, int index) const {
  const std::vector<mx::array> made = kernels::linears(x, in_);
  const mx::array inputs = kernels::join_columns({made[0], made[1], made[2]});
  const mx::array qkv =
      with_states(segments, index, StatePart::Inputs, [&](int from, int to, auto sequences) {
        return kernels::causal_conv(rows_of(inputs, from, to), std::move(sequences), conv_);
      });
  const int keys = sizes_.keys();
  const std::vector<mx::array> parts = kernels::split_columns(qkv, {keys, 2 * keys});
  const kernels::GatedDeltaRows rows{
      .q = parts[0], .k = parts[1], .v = parts[2], .a = kernels::linear(made[3], a_), .b = made[5]};
  const mx::array y =
      with_states(segments, index, StatePart::Matrices, [&](int from, int to, auto sequences) {
        return kernels::gated_delta(rows.between(from, to), std::move(sequences), rule_);
      });
  return kernels::gated_norm(y, kernels::linear(made[4], gate_), norm_);
}

mx::array KimiDelta::operator()(const mx::array& x, Segments segments, int index) const {
  return kernels::linear(mix(x, segments, index), out_);
}

mx::array KimiDelta::onto(mx::array onto, const mx::array& x, Segments segments, int index) const {
  return kernels::linear_onto(std::move(onto), mix(x, segments, index), out_);
}

}  // namespace convergio::model
