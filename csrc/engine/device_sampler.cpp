#include "engine/device_sampler.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "engine/random.h"
#include "engine/sampling_kernels.h"
#include "kernels/mlx/fast.h"
#include "mlx/ops.h"

namespace convergio::engine {

namespace {

using kernels::fused;
using Arrays = std::vector<mx::array>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kSortedAtOnce = 2048;  // numbers that MLX's Metal backend sorts by one kernel

mx::array number(double value) { return mx::array(static_cast<float>(value), mx::float32); }

mx::array first(const mx::array& x, int count) { return mx::slice(x, {0}, {count}); }

mx::array last(const mx::array& x) {
  const auto size = static_cast<int>(x.size());
  return mx::slice(x, {size - 1}, {size});
}

/// Logits as float32, the likeliest lowest: sorts are ascending, and of equals the first stays so.
mx::array negated(const mx::array& logits) {
  return fused(
      [](const Arrays& in) { return Arrays{mx::negative(mx::astype(in[0], mx::float32))}; },
      {logits});
}

/// The likeliest tokens, the likeliest first and of equals the lower: (count,).
struct Candidates {
  mx::array logits;  ///< negated
  mx::array ids;
};

/// The tokens `count` are among the `count` groups of tokens whose best are likeliest: those groups
/// are found by one short sort, and their tokens by another.
Candidates likeliest(const mx::array& logits, int count) {
  const auto size = static_cast<int>(logits.size());
  if (count == 0) {  // MLX's sorts on a GPU divide by the length
    return {first(logits, 0), mx::zeros({0}, mx::uint32)};
  }
  int width = 1;  // of a group
  while (size > width * kSortedAtOnce) {
    width *= 2;
  }
  if (width == 1 || count >= size / (2 * width)) {
    const mx::array order = first(mx::argsort(logits), count);
    return {mx::take(logits, order), order};
  }
  const int missing = (width - size % width) % width;
  const mx::array whole =
      missing == 0 ? logits
                   : mx::concatenate({logits, mx::full({missing}, kInfinity, mx::float32)});
  const mx::array groups = mx::reshape(whole, {-1, width});
  // in the order of ids again, so that of equal tokens the lower stays first
  const mx::array best = mx::sort(first(mx::argsort(mx::min(groups, 1)), count));
  const mx::array members = mx::reshape(mx::take(groups, best, 0), {-1});
  const mx::array order = first(mx::argsort(members), count);
  const mx::array ids =
      fused([](const Arrays& in) { return Arrays{mx::add(mx::multiply(in[0], in[1]), in[2])}; },
            {mx::expand_dims(best, 1), mx::array(static_cast<std::uint32_t>(width)),
             mx::arange(0, width, mx::uint32)});
  return {mx::take(members, order), mx::take(mx::reshape(ids, {-1}), order)};
}

/// exp((highest - x) / temperature) of negated logits: 1 for the likeliest; 0 below `least`.
mx::array weights_of(const mx::array& logits, const mx::array& highest, double temperature,
                     double least) {
  return fused(
      [](const Arrays& in) {
        const mx::array weights = mx::exp(mx::divide(mx::subtract(in[1], in[0]), in[2]));
        return Arrays{mx::where(mx::less(weights, in[3]), mx::array(0.0F), weights)};
      },
      {logits, highest, number(temperature), number(least)});
}

/// Where it falls in weights (k,) for each of `uniforms`: the first at which the sum passes u of
/// the total. `check` is the total where that is sure.
struct Draw {
  mx::array at;
  mx::array check;
};

Draw draw(const mx::array& weights, const mx::array& uniforms, const mx::array& covered) {
  const mx::array sums = mx::cumsum(weights, 0);
  const mx::array total = last(sums);
  // a sum made in parallel can waver by its rounding, and must not land on a token left out
  const mx::array passed = fused(
      [](const Arrays& in) {
        return Arrays{mx::logical_and(mx::greater(in[0], mx::multiply(in[1], in[2])),
                                      mx::greater(in[3], mx::array(0.0F)))};
      },
      {sums, mx::expand_dims(uniforms, 1), total, weights});
  const mx::array at = mx::argmax(passed, 1);
  return {at, fused(
                  [](const Arrays& in) {
                    const mx::array sure =
                        mx::logical_and(mx::greater(in[0], mx::array(0.0F)), in[2]);
                    return Arrays{mx::where(sure, in[1], mx::array(kInfinity))};
                  },
                  {mx::take(weights, at), total, covered})};
}

/// Among all tokens, those left out that min-p leaves out.
DeviceSample draw_from_all(const mx::array& logits, const SamplingParams& params,
                           const mx::array& uniforms) {
  const mx::array weights = weights_of(logits, mx::min(logits), params.temperature, params.min_p);
  Draw drawn = draw(weights, uniforms, mx::array(true));
  return {drawn.at, std::move(drawn.check)};
}

/// Among the `count` likeliest that top-p and min-p leave. `alone`: no others count, as after
/// top-k; else all others do, and top-p may want more of them.
DeviceSample draw_from_likeliest(const mx::array& row, const mx::array& logits,
                                 const SamplingParams& params, int count, bool alone,
                                 const mx::array& uniforms) {
  const Candidates kept = likeliest(logits, count);
  const mx::array highest = first(kept.logits, 1);
  mx::array weights = weights_of(kept.logits, highest, params.temperature, params.min_p);
  mx::array covered = mx::array(true);
  if (params.top_p < 1) {
    const mx::array own = weights_of(kept.logits, highest, params.temperature, 0.0);
    const mx::array total =
        mx::sum(alone ? own : weights_of(logits, highest, params.temperature, 0.0));
    const mx::array sums = mx::cumsum(own);
    const mx::array target = mx::multiply(number(params.top_p), total);
    if (!alone) {
      covered = mx::greater_equal(last(sums), target);
    }
    weights = fused(
        [](const Arrays& in) {
          const mx::array before = mx::subtract(in[1], in[2]);
          return Arrays{mx::where(mx::less(before, in[3]), in[0], mx::array(0.0F))};
        },
        {weights, sums, own, target});
  }
  const mx::array order = mx::argsort(kept.ids);
  Draw drawn = draw(mx::take(weights, order), uniforms, covered);
  // the candidates of logits that are not finite may all look well
  const mx::array check = mx::add(drawn.check, mx::logsumexp(row));
  return {mx::take(mx::take(kept.ids, order), drawn.at), check};
}

/// A token for each of `uniforms` of logits (vocab,), `row`, and their edited and negated form.
DeviceSample choose(const mx::array& row, const mx::array& logits, const SamplingParams& params,
                    const mx::array& uniforms) {
  const auto size = static_cast<int>(logits.size());
  if (params.top_k > 0 && params.top_k < size) {
    return draw_from_likeliest(row, logits, params, params.top_k, /*alone=*/true, uniforms);
  }
  if (params.top_p < 1) {
    return draw_from_likeliest(row, logits, params, std::min(kCandidates, size),
                               /*alone=*/size <= kCandidates, uniforms);
  }
  return draw_from_all(logits, params, uniforms);
}

/// The likeliest of logits (vocab,), the lower of equals.
DeviceSample likeliest_of(const mx::array& row, const mx::array& logits, bool lowest) {
  const mx::array line = mx::reshape(logits, {1, -1});
  return {lowest ? mx::argmin(line, 1) : mx::argmax(line, 1),
          mx::logsumexp(mx::reshape(row, {1, -1}), 1)};
}

mx::array ones_at(std::span<const int> tokens, int vocab, bool count) {
  std::vector<float> found(static_cast<std::size_t>(vocab), 0.0F);
  for (const int token : tokens) {
    if (!std::cmp_less(token, vocab)) {
      continue;  // a prompt may have ids that the tokenizer does not know
    }
    float& one = found[static_cast<std::size_t>(token)];
    one = count ? one + 1.0F : 1.0F;
  }
  return mx::array(found.begin(), {vocab}, mx::float32);
}

}  // namespace

mx::array masked(const mx::array& logits, const TokenMask& allowed) {
  const mx::array flat = mx::reshape(logits, {-1});
  const int words = (static_cast<int>(flat.size()) + 31) / 32;
  TokenMask whole(allowed);
  whole.resize(static_cast<std::size_t>(words), 0);
  const mx::array column(whole.begin(), {words, 1}, mx::uint32);
  const mx::array bits = mx::right_shift(column, mx::arange(0, 32, mx::uint32));
  const mx::array set = mx::bitwise_and(bits, mx::array(1, mx::uint32));
  const mx::array is_allowed = mx::slice(mx::reshape(mx::astype(set, mx::bool_), {-1}), {0},
                                         {static_cast<int>(flat.size())});
  return mx::where(is_allowed, flat,
                   mx::array(-std::numeric_limits<float>::infinity(), flat.dtype()));
}

DeviceSample sample_on_device(const mx::array& logits, const SamplingParams& params,
                              const mx::array& uniforms) {
  const mx::array row = mx::reshape(logits, {-1});
  return params.greedy() ? likeliest_of(row, row, /*lowest=*/false)
                         : choose(row, negated(row), params, uniforms);
}

void DeviceSampler::begin(std::span<const int> prompt, std::span<const int> answer, int vocab) {
  if (!params_.edits_logits()) {
    return;
  }
  prompt_ = ones_at(prompt, vocab, /*count=*/false);
  counts_ = ones_at(answer, vocab, /*count=*/true);
  std::vector<float> bias(static_cast<std::size_t>(vocab), 0.0F);
  for (const auto& [token, added] : params_.logit_bias) {
    if (std::cmp_less(token, vocab)) {
      bias[static_cast<std::size_t>(token)] += static_cast<float>(added);
    }
  }
  bias_ = mx::array(bias.begin(), {vocab}, mx::float32);
}

/// Logits with penalties and bias, negated.
mx::array DeviceSampler::edited(const mx::array& row) const {
  return fused(
      [](const Arrays& in) {
        const mx::array zero(0.0F);
        const mx::array logits = mx::astype(in[0], mx::float32);
        const mx::array& counts = in[2];
        const mx::array& penalty = in[4];
        const mx::array penalized = mx::where(
            mx::greater(logits, zero), mx::divide(logits, penalty), mx::multiply(logits, penalty));
        const mx::array repeated =
            mx::where(mx::greater(mx::add(in[1], counts), zero), penalized, logits);
        const mx::array taken =
            mx::where(mx::greater(counts, zero), mx::add(in[5], mx::multiply(in[6], counts)), zero);
        return Arrays{mx::negative(mx::add(mx::subtract(repeated, taken), in[3]))};
      },
      {row, *prompt_, *counts_, *bias_, number(params_.repetition_penalty),
       number(params_.presence_penalty), number(params_.frequency_penalty)});
}

DeviceSample DeviceSampler::sample(const mx::array& logits, std::uint64_t step) {
  mx::array row = mx::reshape(logits, {-1});
  if (params_.logprobs) {
    row = mx::astype(row, mx::float32);
  }
  const mx::array u({uniform(params_.seed, step)}, mx::float32);
  DeviceSample chosen = [&] {
    if (kernels_draw(params_, static_cast<int>(row.size())) && sampling_kernels().passed) {
      const bool edits = params_.edits_logits();
      return draw_by_kernels(edits ? edited(row) : row, /*negated=*/edits, params_, u);
    }
    if (!params_.edits_logits()) {
      return sample_on_device(row, params_, u);
    }
    const mx::array own = edited(row);
    return params_.greedy() ? likeliest_of(row, own, /*lowest=*/true)
                            : choose(row, own, params_, u);
  }();
  if (params_.penalizes()) {
    counts_ = mx::scatter_add_axis(*std::move(counts_), chosen.token, number(1.0), 0);
  }
  if (params_.logprobs) {
    const Candidates top =
        likeliest(negated(row), std::min(*params_.logprobs, static_cast<int>(row.size())));
    chosen.logprobs = {.norm = mx::logsumexp(row),
                       .logit = mx::take(row, chosen.token),
                       .top = top.ids,
                       .top_logits = top.logits};
  }
  return chosen;
}

}  // namespace convergio::engine
