#include "engine/device_sampler.h"

#include <limits>

#include "engine/random.h"
#include "mlx/ops.h"

namespace convergio::engine {

namespace {

/// Weights lie in [0, 1] with 1 the likeliest; 30 halvings tell apart all that matter in float32.
constexpr int kHalvings = 30;

mx::array number(float value) { return mx::array(value, mx::float32); }

/// The highest threshold in [0, 1] at which `enough(weights at or above it)` still holds.
template <typename Enough>
mx::array bisect(const mx::array& weights, Enough enough) {
  mx::array low = number(0.0F);
  mx::array high = number(1.0F);
  for (int i = 0; i < kHalvings; ++i) {
    // thresholds of likely tokens are near 1, of unlikely ones near 0: halve the larger gap's
    // square
    const mx::array middle = mx::multiply(number(0.5F), mx::add(low, high));
    const mx::array holds = enough(mx::greater_equal(weights, middle));
    low = mx::where(holds, middle, low);
    high = mx::where(holds, high, middle);
  }
  return low;
}

mx::array masked(const mx::array& weights, const mx::array& threshold) {
  return mx::where(mx::greater_equal(weights, threshold), weights, number(0.0F));
}

}  // namespace

bool samples_on_device(const SamplingParams& params) {
  return !params.edits_logits() && !params.logprobs;
}

mx::array sample_on_device(const mx::array& logits, const SamplingParams& params,
                           std::uint64_t step) {
  const mx::array flat = mx::reshape(logits, {-1});
  if (params.greedy()) {
    return mx::astype(mx::argmax(flat, 0), mx::int32);
  }
  const mx::array scaled =
      mx::multiply(mx::astype(flat, mx::float32), number(1.0F / params.temperature));
  mx::array weights = mx::exp(mx::subtract(scaled, mx::max(scaled)));
  const auto size = static_cast<int>(weights.size());
  if (params.top_k > 0 && params.top_k < size) {
    weights = masked(weights, bisect(weights, [&](const mx::array& in) {
                       return mx::greater_equal(mx::sum(mx::astype(in, mx::int32)),
                                                mx::array(params.top_k));
                     }));
  }
  const mx::array all = weights;
  if (params.top_p < 1.0F) {
    const mx::array target = mx::multiply(number(params.top_p), mx::sum(all));
    weights = masked(weights, bisect(all, [&](const mx::array& in) {
                       return mx::greater_equal(mx::sum(mx::where(in, all, number(0.0F))), target);
                     }));
  }
  if (params.min_p > 0.0F) {
    weights = masked(weights, number(params.min_p));
  }
  // the first token, in the order of ids, at which the sum of weights passes u of the total
  const mx::array sums = mx::cumsum(weights, 0);
  const mx::array target =
      mx::multiply(number(uniform(params.seed, step)), mx::take(sums, mx::array(size - 1), 0));
  return mx::astype(mx::argmax(mx::greater(sums, target), 0), mx::int32);
}

}  // namespace convergio::engine
