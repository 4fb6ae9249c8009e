#include "model/gated_delta_net.h"

#include <utility>

#include "kernels/mlx/view.h"
#include "kernels/ops/join_columns.h"
#include "kernels/ops/join_heads.h"
#include "kernels/ops/linear.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::model {

namespace {

/// Numbers [from, to) of what each of `groups` has in a row.
mx::array part_of_groups(const mx::array& x, int groups, int from, int to) {
  return kernels::join_heads(kernels::part_of_rows(kernels::heads_of(x, groups), from, to));
}

/// The convolution of {q‖k‖v} of all heads, for inputs that have them for one key head after the
/// other.
kernels::CausalConv by_key_head(kernels::CausalConv conv, const arch::Recurrence& sizes) {
  const auto grouped = [&](const mx::array& all, int from, int to) {
    return mx::reshape(mx::slice(all, {0, from}, {all.shape(0), to}),
                       {all.shape(0), sizes.key_heads, -1});
  };
  const auto regrouped = [&](const mx::array& all) {
    const int keys = sizes.keys();
    const mx::array parts = mx::concatenate({grouped(all, 0, keys), grouped(all, keys, 2 * keys),
                                             grouped(all, 2 * keys, sizes.channels)},
                                            2);
    mx::array flat = mx::contiguous(mx::reshape(parts, {all.shape(0), sizes.channels}));
    mx::eval(flat);
    return flat;
  };
  conv.weight = regrouped(conv.weight);
  if (conv.bias) {
    conv.bias = mx::reshape(regrouped(mx::expand_dims(*conv.bias, 0)), {sizes.channels});
  }
  return conv;
}

kernels::CausalConv load_conv(WeightLoader& weights, const arch::GatedDeltaSpec& layer,
                              const arch::Recurrence& sizes) {
  kernels::CausalConv conv = weights.conv(layer.convs);
  conv.silu = true;
  return layer.in.size() == 2 ? by_key_head(std::move(conv), sizes) : conv;
}

}  // namespace

/// What is made of each row.
struct GatedDeltaNet::Projected {
  mx::array qkv, z, b, a;
};

GatedDeltaNet::GatedDeltaNet(WeightLoader& weights, const arch::ModelSpec& spec,
                             const arch::GatedDeltaSpec& layer, const arch::Recurrence& sizes)
    : out_(weights.linear(layer.out)),
      conv_(load_conv(weights, layer, sizes)),
      rule_{.k_heads = sizes.key_heads,
            .v_heads = sizes.heads,
            .a_log = weights.floats(layer.a_log),
            .dt_bias = weights.floats(layer.dt_bias),
            .beta_scale = sizes.beta_scale},
      norm_{.weight = weights.floats(layer.norm.name + ".weight"),
            .eps = sizes.norm_eps > 0 ? sizes.norm_eps : spec.config.norm_eps,
            .group = sizes.value_dim},
      sizes_(sizes) {
  for (const arch::MatrixSpec& matrix : layer.in) {
    in_.push_back(weights.linear(matrix));
  }
}

GatedDeltaNet::Projected GatedDeltaNet::project(const mx::array& x) const {
  const std::vector<mx::array> made = kernels::linears(x, in_);
  if (made.size() == 6) {
    return {.qkv = kernels::join_columns({made[0], made[1], made[2]}),
            .z = made[3],
            .b = made[4],
            .a = made[5]};
  }
  if (made.size() == 4) {
    return {.qkv = made[0], .z = made[1], .b = made[2], .a = made[3]};
  }
  const int groups = sizes_.key_heads;
  const int shared = sizes_.heads / groups;
  const int qkv = sizes_.channels / groups;
  const int z = sizes_.values() / groups;
  return {.qkv = part_of_groups(made[0], groups, 0, qkv),
          .z = part_of_groups(made[0], groups, qkv, qkv + z),
          .b = part_of_groups(made[1], groups, 0, shared),
          .a = part_of_groups(made[1], groups, shared, 2 * shared)};
}

/// Before the projection out.
mx::array GatedDeltaNet::mix(const mx::array& x, Segments segments, int index) const {
  const Projected made = project(x);
  const mx::array qkv =
      with_states(segments, index, StatePart::Inputs, [&](int from, int to, auto sequences) {
        return kernels::causal_conv(rows_of(made.qkv, from, to), std::move(sequences), conv_);
      });
  const auto parts = [&]() -> std::vector<mx::array> {
    const int keys = sizes_.keys();
    if (in_.size() != 2) {
      return kernels::split_columns(qkv, {keys, 2 * keys});
    }
    const int groups = sizes_.key_heads;
    const int dim = sizes_.key_dim;
    return {part_of_groups(qkv, groups, 0, dim), part_of_groups(qkv, groups, dim, 2 * dim),
            part_of_groups(qkv, groups, 2 * dim, sizes_.channels / groups)};
  }();
  const kernels::GatedDeltaRows rows{
      .q = parts[0], .k = parts[1], .v = parts[2], .a = made.a, .b = made.b};
  const mx::array y =
      with_states(segments, index, StatePart::Matrices, [&](int from, int to, auto sequences) {
        return kernels::gated_delta(rows.between(from, to), std::move(sequences), rule_);
      });
  return kernels::gated_norm(y, made.z, norm_);
}

mx::array GatedDeltaNet::operator()(const mx::array& x, Segments segments, int index) const {
  return kernels::linear(mix(x, segments, index), out_);
}

mx::array GatedDeltaNet::onto(mx::array onto, const mx::array& x, Segments segments,
                              int index) const {
  return kernels::linear_onto(std::move(onto), mix(x, segments, index), out_);
}

}  // namespace convergio::model
