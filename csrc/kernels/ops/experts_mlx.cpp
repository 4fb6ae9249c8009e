#include "kernels/ops/experts_mlx.h"

#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "kernels/mlx/fast.h"
#include "kernels/ops/activation.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

/// Experts of groups that are not among the best are not chosen.
mx::array mask_groups(const mx::array& scores, const formats::Router& router) {
  const int n = scores.shape(0);
  const mx::array grouped = mx::reshape(scores, {n, router.groups, router.experts / router.groups});
  const mx::array best = mx::sum(mx::topk(grouped, router.group_best, -1), -1);
  const int left_out = router.groups - router.chosen_groups;
  const mx::array worst =
      mx::slice(mx::argpartition(best, left_out - 1, -1), {0, 0}, {n, left_out});
  const mx::array masked =
      mx::put_along_axis(grouped, mx::expand_dims(worst, 2), mx::array(kNever), 1);
  return mx::reshape(masked, {n, router.experts});
}

mx::array likeliest(const mx::array& scores, int count) {
  const mx::array order = mx::argpartition(mx::negative(scores), count - 1, -1);
  return mx::slice(order, {0, 0}, {scores.shape(0), count});
}

/// Inference of sparsemixer (Liu et al. 2023): each choice is weighed among those not far below it.
Routes sparse_mixer(const mx::array& logits, const formats::Router& router) {
  const mx::array none(kNever);
  const mx::array band(2 * router.jitter);
  mx::array left = logits;
  std::vector<mx::array> experts;
  std::vector<mx::array> weights;
  for (int i = 0; i < router.chosen; ++i) {
    const mx::array highest = mx::max(left, -1, true);
    const mx::array expert = mx::argmax(left, -1, true);
    const mx::array distance =
        mx::divide(mx::subtract(highest, logits), mx::maximum(mx::abs(logits), highest));
    const mx::array close = mx::where(mx::greater(distance, band), none, left);
    weights.push_back(mx::take_along_axis(mx::softmax(close, -1, true), expert, -1));
    experts.push_back(expert);
    left = mx::put_along_axis(left, expert, none, -1);
  }
  return {mx::concatenate(experts, -1), mx::concatenate(weights, -1)};
}

/// x (…, 1, cols) through the matrices of `experts`, (…): a row of x for each, or one for several.
/// `rows`: which row of x, where that is not one after another.
mx::array gathered(const mx::array& x, const ExpertStack& stack, const mx::array& experts,
                   const std::optional<mx::array>& rows) {
  const auto& [weight, bias] = stack.parts.front();
  const bool sorted = !rows;
  mx::array y = weight.format == Format::Dense
                    ? mx::gather_mm(x, mx::swapaxes(mx::astype(weight.data, x.dtype()), -1, -2),
                                    rows, experts, sorted)
                    : mx::gather_qmm(x, weight.data, *weight.scales, weight.biases, rows, experts,
                                     /*transpose=*/true, weight.group_size, weight.bits,
                                     mode_name(weight.format), std::nullopt, sorted);
  if (bias) {
    const mx::array of_rows = mx::take(mx::astype(*bias, y.dtype()), experts, 0);
    y = mx::add(y, mx::expand_dims(of_rows, -2));
  }
  return y;
}

/// Gate and up of (n, 1, 2 · width) outputs.
std::vector<mx::array> halves(const mx::array& both, bool interleaved) {
  if (!interleaved) {
    return mx::split(both, 2, -1);
  }
  const mx::array pairs = mx::unflatten(both, -1, {both.shape(-1) / 2, 2});
  return {mx::take(pairs, 0, -1), mx::take(pairs, 1, -1)};
}

mx::array gated_by(const mx::array& gate, const mx::array& up, const formats::Experts& config,
                   Activation activation) {
  if (config.swiglu_limit == 0.0F) {
    return gated(gate, up, activation);
  }
  return fused(
      [](const std::vector<mx::array>& in) {
        const mx::array& limit = in[2];
        const mx::array x = mx::minimum(in[0], limit);
        const mx::array linear =
            mx::add(mx::clip(in[1], mx::negative(limit), limit), mx::array(1.0F, limit.dtype()));
        return std::vector{
            mx::multiply(linear, mx::multiply(x, mx::sigmoid(mx::multiply(in[3], x))))};
      },
      {gate, up, mx::array(config.swiglu_limit, gate.dtype()),
       mx::array(config.swiglu_alpha, gate.dtype())});
}

/// x (…, 1, hidden) through gate, up and down of `experts`, or through up and down.
mx::array feed_forward(const mx::array& x, const ExpertWeights& weights,
                       const formats::Experts& config, Activation activation,
                       const mx::array& experts, const std::optional<mx::array>& rows,
                       const std::optional<mx::array>& hidden_rows) {
  const mx::array gate = gathered(x, weights.gate_up[0], experts, rows);
  if (!config.gated) {
    return gathered(activated(gate, activation), weights.down, experts, hidden_rows);
  }
  const std::vector<mx::array> parts =
      weights.gate_up.size() == 1
          ? halves(gate, weights.interleaved)
          : std::vector{gate, gathered(x, weights.gate_up[1], experts, rows)};
  return gathered(gated_by(parts[0], parts[1], config, activation), weights.down, experts,
                  hidden_rows);
}

/// 0, 1, …: a constant, where MLX would make one of three kernels a layer.
mx::array counting(const mx::Shape& shape) {
  std::vector<std::uint32_t> numbers(static_cast<std::size_t>(shape[0] * shape[1]));
  std::iota(numbers.begin(), numbers.end(), 0U);
  return mx::array(numbers.begin(), shape, mx::uint32);
}

/// What experts are given of a few rows, as they are: (n, chosen, hidden). `shares`, (n, chosen):
/// what x is weighed by before.
mx::array of_few(const mx::array& x, const mx::array& experts,
                 const std::optional<mx::array>& shares, const ExpertWeights& weights,
                 const formats::Experts& config, Activation activation) {
  const int n = experts.shape(0);
  const mx::array each = counting({n, experts.shape(1)});
  mx::array in = mx::expand_dims(x, {1, 2});
  if (shares) {
    in = mx::multiply(in, mx::expand_dims(*shares, {2, 3}));
  }
  return mx::squeeze(feed_forward(in, weights, config, activation, experts,
                                  shares ? each : counting({n, 1}), each),
                     -2);
}

/// The same of many rows, sorted by expert, so that each expert's matrices are read once.
mx::array of_many(const mx::array& x, const mx::array& experts,
                  const std::optional<mx::array>& shares, const ExpertWeights& weights,
                  const formats::Experts& config, Activation activation) {
  const int chosen = experts.shape(1);
  const mx::array all = mx::flatten(experts);
  const mx::array order = mx::argsort(all);
  mx::array in = mx::take(x, mx::floor_divide(order, mx::array(chosen, order.dtype())), 0);
  if (shares) {
    in = mx::multiply(in, mx::expand_dims(mx::take(mx::flatten(*shares), order), 1));
  }
  const mx::array y = feed_forward(mx::expand_dims(in, -2), weights, config, activation,
                                   mx::take(all, order), std::nullopt, std::nullopt);
  return mx::reshape(mx::take(mx::squeeze(y, -2), mx::argsort(order), 0),
                     {experts.shape(0), chosen, x.shape(1)});
}

}  // namespace

Routes mlx_route(const mx::array& logits, const std::optional<mx::array>& correction,
                 const formats::Router& router) {
  mx::array numbers = mx::astype(logits, mx::float32);
  if (router.softcap > 0) {
    numbers = softcapped(numbers, router.softcap);
  }
  if (router.score == formats::Score::SparseMixer) {
    return sparse_mixer(numbers, router);
  }
  const bool softmax_late = router.score == formats::Score::SoftmaxOfChosen;
  const bool sigmoid_late = router.score == formats::Score::SigmoidOfChosen;
  const mx::array scores = softmax_late || sigmoid_late ? numbers
                           : router.score == formats::Score::Sigmoid
                               ? mx::sigmoid(numbers)
                               : mx::softmax(numbers, -1, true);
  mx::array ranked = correction ? mx::add(scores, *correction) : scores;
  if (router.groups > router.chosen_groups) {
    ranked = mask_groups(ranked, router);
  }
  const mx::array experts = likeliest(ranked, router.chosen);
  mx::array weights = mx::take_along_axis(scores, experts, -1);
  if (softmax_late) {
    weights = mx::softmax(weights, -1, true);
  } else if (sigmoid_late) {
    weights = mx::sigmoid(weights);
  }
  if (router.normalized) {
    weights = mx::divide(weights, mx::sum(weights, -1, true));
  }
  if (router.scale != 1.0F) {
    weights = mx::multiply(weights, mx::array(router.scale));
  }
  return {experts, weights};
}

ExpertStack mlx_stacked(const ExpertStack& stack) {
  if (stack.stacked) {
    return stack;
  }
  const auto together = [&](auto part) -> std::optional<mx::array> {
    std::vector<mx::array> all;
    for (const Linear& one : stack.parts) {
      const std::optional<mx::array> array = part(one);
      if (!array) {
        return std::nullopt;
      }
      all.push_back(*array);
    }
    return mx::stack(all, 0);
  };
  Linear whole = stack.parts.front();
  whole.weight.data = *together([](const Linear& l) { return std::optional(l.weight.data); });
  whole.weight.scales = together([](const Linear& l) { return l.weight.scales; });
  whole.weight.biases = together([](const Linear& l) { return l.weight.biases; });
  whole.bias = together([](const Linear& l) { return l.bias; });
  return {.parts = {std::move(whole)}, .stacked = true};
}

mx::array mlx_experts(const mx::array& x, const mx::array& logits, const ExpertWeights& weights,
                      const formats::Experts& config, Activation activation) {
  constexpr int kWorthSorting = 64;  // rows: below, experts have few of them anyway
  Routes routes = mlx_route(logits, weights.correction, config.router);
  if (weights.scales) {
    routes.weights = mx::multiply(routes.weights, mx::take(*weights.scales, routes.experts, 0));
  }
  const bool many = routes.experts.size() >= kWorthSorting;
  const mx::array shares = mx::astype(routes.weights, x.dtype());
  const auto given = config.weighs_input ? std::optional(shares) : std::nullopt;
  const mx::array y =
      (many ? of_many : of_few)(x, routes.experts, given, weights, config, activation);
  return mx::sum(given ? y : mx::multiply(y, mx::expand_dims(shares, 2)), 1);
}

}  // namespace convergio::kernels
