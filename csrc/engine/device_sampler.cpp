#include "engine/device_sampler.h"

#include <limits>

#include "engine/random.h"
#include "mlx/ops.h"

namespace convergio::engine {

namespace {

/// Weights are from 0 to 1; as integers, floats that are not negative keep their order, and those
/// up to 1 have 30 bits.
constexpr int kBits = 30;
constexpr int kBitsARound = 3;

mx::array number(double value) { return mx::array(static_cast<float>(value), mx::float32); }

mx::array where_or_zero(const mx::array& condition, const mx::array& x) {
  return mx::where(condition, x, mx::array(0, x.dtype()));
}

/// The highest threshold, in the bits of a float, at which the measures of all weights from it up
/// still reach `target`.
mx::array threshold(const mx::array& bits, const mx::array& measures, const mx::array& target) {
  mx::array low(0);
  for (int shift = kBits - kBitsARound; shift >= 0; shift -= kBitsARound) {
    const mx::array steps = mx::arange(0, (1 << kBitsARound) << shift, 1 << shift, mx::int32);
    const mx::array tries = mx::expand_dims(mx::add(low, steps), 1);
    const mx::array above = where_or_zero(mx::greater_equal(bits, tries), measures);
    const mx::array enough = mx::greater_equal(mx::sum(above, 1, /*keepdims=*/true), target);
    low = mx::max(mx::where(enough, tries, low));
  }
  return low;
}

/// Keeps the likeliest weights whose measures reach `target`, and no more of them than it takes; of
/// equal ones the lower token goes first.
mx::array keep_likeliest(const mx::array& weights, const mx::array& measures,
                         const mx::array& target) {
  const mx::array bits = mx::view(weights, mx::int32);
  const mx::array least = threshold(bits, measures, target);
  const mx::array above = mx::greater(bits, least);
  const mx::array missing = mx::subtract(target, mx::sum(where_or_zero(above, measures)));
  const mx::array level = mx::equal(bits, least);
  const mx::array before =
      mx::cumsum(where_or_zero(level, measures), 0, /*reverse=*/false, /*inclusive=*/false);
  const mx::array kept = mx::logical_or(above, mx::logical_and(level, mx::less(before, missing)));
  return where_or_zero(kept, weights);
}

/// The first token, in the order of ids, at which the sum of weights passes u of the total.
mx::array draw(const mx::array& weights, float u) {
  const mx::array sums = mx::cumsum(weights, 0);
  const mx::array last = mx::array(static_cast<int>(weights.size()) - 1);
  const mx::array target = mx::multiply(number(u), mx::take(sums, last, 0));
  // a sum made in parallel can waver by its rounding, and must not land on a token left out
  const mx::array passed =
      mx::logical_and(mx::greater(sums, target), mx::greater(weights, number(0)));
  return mx::where(mx::any(passed), mx::argmax(passed, 0), mx::argmax(weights, 0));
}

}  // namespace

bool samples_on_device(const SamplingParams& params) {
  return !params.edits_logits() && !params.logprobs;
}

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

mx::array sample_on_device(const mx::array& logits, const SamplingParams& params,
                           std::uint64_t step) {
  const mx::array flat = mx::astype(mx::reshape(logits, {-1}), mx::float32);
  const mx::array highest = mx::max(flat);
  const auto checked = [&](const mx::array& token) {
    return mx::where(mx::isfinite(highest), mx::astype(token, mx::int32), mx::array(-1));
  };
  if (params.greedy()) {
    return checked(mx::argmax(flat, 0));
  }
  mx::array weights = mx::exp(mx::divide(mx::subtract(flat, highest), number(params.temperature)));
  if (params.top_k > 0 && static_cast<std::size_t>(params.top_k) < weights.size()) {
    const mx::array ones = mx::ones({static_cast<int>(weights.size())}, mx::int32);
    weights = keep_likeliest(weights, ones, mx::array(params.top_k));
  }
  const mx::array total = mx::sum(weights);
  if (params.min_p > 0) {
    weights = where_or_zero(mx::greater_equal(weights, number(params.min_p)), weights);
  }
  if (params.top_p < 1) {
    weights = keep_likeliest(weights, weights, mx::multiply(number(params.top_p), total));
  }
  return checked(draw(weights, uniform(params.seed, step)));
}

}  // namespace convergio::engine
