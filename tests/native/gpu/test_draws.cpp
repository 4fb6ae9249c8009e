// A million draws of each setting by the kernels' texts as C++, against the exact probabilities of
// the tokens that the CPU's Sampler draws from.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "engine/random.h"
#include "engine/sampler.h"
#include "engine/sampling_kernels.h"
#include "gpu/runner.h"
#include "gpu/twin.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::engine {

/// In place of kernel_trial.cpp, so that little is built: the kernels passed.
const KernelTrial& sampling_kernels() {
  static const KernelTrial kPassed{.passed = true, .fault = ""};
  return kPassed;
}

}  // namespace convergio::engine

using namespace convergio::engine;
namespace kernels = convergio::kernels;
namespace mx = mlx::core;

namespace {

constexpr std::size_t kDraws = CONVERGIO_DRAWS;  ///< of a setting: a million without sanitizers
constexpr std::size_t kWhole = std::min<std::size_t>(200, kDraws / 100);  ///< from end to end
constexpr double kLeastP = 1e-6;      ///< of a chi-square; the numbers are the same each time
constexpr double kRounding = 2e-6;    ///< of sums in float32, as a part of them
constexpr double kLeastExpected = 5;  ///< draws of a token that has a cell of its own
constexpr std::size_t kFew = 1000;    ///< tokens; the last group of 64 is not full
constexpr std::size_t kMany = 8191;

using Logits = std::vector<float>;

/// Logits, and how a token is drawn from them.
struct Case {
  mx::array logits;  ///< (1, vocab)
  SamplingParams params;
  std::vector<int> prompt = {};
  std::vector<int> answer = {};

  int vocab() const { return static_cast<int>(logits.size()); }

  Logits floats() const {
    const mx::array row = mx::contiguous(mx::astype(logits, mx::float32));
    mx::eval(row);
    return {row.data<float>(), row.data<float>() + row.size()};
  }

  /// Of draw i, one that no other case has. Penalties depend on the answer, whose length is then
  /// the one position.
  std::uint64_t seed(std::size_t i) const {
    return 1'000'000 * params.seed + (params.penalizes() ? i : i / 1000);
  }
  std::uint64_t position(std::size_t i) const {
    return params.penalizes() ? answer.size() : i % 1000;
  }
};

/// Normal logits: float32 where there are few, bfloat16, many of them equal, where there are more.
Case normal(std::size_t vocab, double deviation, SamplingParams params) {
  std::mt19937_64 random(vocab);
  std::normal_distribution<float> chance(0, static_cast<float>(deviation));
  Logits logits(vocab);
  for (float& logit : logits) logit = chance(random);
  const mx::array row(logits.begin(), {1, static_cast<int>(vocab)}, mx::float32);
  return {.logits = mx::astype(row, vocab == kFew ? mx::float32 : mx::bfloat16),
          .params = std::move(params)};
}

SamplingParams options(std::uint64_t seed, double temperature, int top_k, double top_p,
                       double min_p) {
  SamplingParams params;
  params.seed = seed;
  params.temperature = temperature;
  params.top_k = top_k;
  params.top_p = top_p;
  params.min_p = min_p;
  return params;
}

/// Logits with penalties and bias, by their definitions.
std::vector<double> edited(const Case& one) {
  const Logits floats = one.floats();
  std::vector<double> logits(floats.begin(), floats.end());
  const SamplingParams& params = one.params;
  std::vector<int> counts(logits.size());
  std::vector<bool> seen(logits.size());
  for (const int token : one.prompt) seen[static_cast<std::size_t>(token)] = true;
  for (const int token : one.answer) {
    seen[static_cast<std::size_t>(token)] = true;
    ++counts[static_cast<std::size_t>(token)];
  }
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double penalty = seen[i] ? params.repetition_penalty : 1;
    logits[i] = logits[i] > 0 ? logits[i] / penalty : logits[i] * penalty;
    if (counts[i] > 0) logits[i] -= params.presence_penalty + params.frequency_penalty * counts[i];
  }
  for (const auto& [token, bias] : params.logit_bias) {
    logits[static_cast<std::size_t>(token)] += bias;
  }
  return logits;
}

/// The probability of each token, by the definitions of sampling.h.
std::vector<double> probabilities(const Case& one) {
  const std::vector<double> logits = edited(one);
  std::vector<std::size_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return logits[i]; });
  if (one.params.top_k > 0) {
    order.resize(std::min(order.size(), static_cast<std::size_t>(one.params.top_k)));
  }
  const auto weight = [&](std::size_t i) {
    return std::exp((logits[i] - logits[order[0]]) / one.params.temperature);
  };
  double all = 0;
  for (const std::size_t i : order) all += weight(i);
  std::vector<double> kept(logits.size());
  double sum = 0;
  double before = 0;
  for (const std::size_t i : order) {
    if (before >= one.params.top_p * all && one.params.top_p < 1) break;
    before += weight(i);
    kept[i] = weight(i) >= one.params.min_p ? weight(i) : 0;
    sum += kept[i];
  }
  for (double& share : kept) share /= sum;
  return kept;
}

/// How likely so high a chi-square or a higher one is (Wilson and Hilferty 1931).
double p_value(double chi_square, std::size_t freedom) {
  const double spread = 2.0 / (9.0 * static_cast<double>(freedom));
  const double cube_root = std::cbrt(chi_square / static_cast<double>(freedom));
  return 0.5 * std::erfc((cube_root - (1 - spread)) / std::sqrt(2 * spread));
}

/// Of draws counted by token. Tokens of which few are expected are one cell.
double p_value(std::span<const std::size_t> drawn, std::span<const double> shares) {
  double chi_square = 0;
  std::size_t cells = 0;
  const auto add = [&](double seen, double expected) {
    chi_square += (seen - expected) * (seen - expected) / expected;
    ++cells;
  };
  double rest_seen = 0;
  double rest_expected = 0;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const double expected = shares[i] * static_cast<double>(kDraws);
    const auto seen = static_cast<double>(drawn[i]);
    if (expected >= kLeastExpected) {
      add(seen, expected);
    } else {
      rest_seen += seen;
      rest_expected += expected;
    }
  }
  if (rest_expected >= kLeastExpected) add(rest_seen, rest_expected);
  return p_value(chi_square, cells - 1);
}

/// The drawing kernel that ran last, by what DeviceSampler gave it.
struct Drawing {
  std::string name;
  std::vector<mx::array> inputs;
  std::size_t runs = 0;

  /// Runs it again with another number.
  int draw(float number) {
    const auto kernel = name == "draw_from_all" ? twin::draw_from_all : twin::draw_from_likeliest;
    std::uint32_t token = 0;
    float sure = 0;
    kernel(inputs[0].data<float>(), inputs[1].data<float>(), inputs[2].data<float>(),
           inputs[3].data<float>(), &number, inputs[5].data<std::uint32_t>(), &token, &sure,
           ++runs);
    return std::isfinite(sure) ? static_cast<int>(token) : -1;
  }
};

Drawing last_drawing;

std::vector<mx::array> run_and_keep(const kernels::GpuKernel& kernel,
                                    const std::vector<mx::array>& inputs,
                                    const kernels::GpuRun& run) {
  if (kernel.name != "group_bests") {
    last_drawing = {.name = kernel.name, .inputs = {}};
    for (const mx::array& one : inputs) last_drawing.inputs.push_back(mx::contiguous(one));
    mx::eval(last_drawing.inputs);
  }
  return twin::run(kernel, inputs, run);
}

/// Draw i by the kernels, as a request's.
int by_kernels(const Case& one, std::size_t i) {
  SamplingParams params = one.params;
  params.seed = one.seed(i);
  DeviceSampler sampler(params);
  sampler.begin(one.prompt, one.answer, one.vocab());
  const DeviceSample drawn = sampler.sample(one.logits, one.position(i));
  mx::eval(drawn.token, drawn.check);
  return std::isfinite(drawn.check.item<float>())
             ? static_cast<int>(drawn.token.item<std::uint32_t>())
             : -1;
}

/// Draw i by the CPU's loop.
int by_loop(const Case& one, std::size_t i) {
  SamplingParams params = one.params;
  params.seed = one.seed(i);
  Sampler sampler(params, one.prompt);
  for (const int token : one.answer) sampler.accept(token);
  for (std::size_t at = one.answer.size(); at < one.position(i); ++at) sampler.accept(0);
  Logits logits = one.floats();
  return sampler.sample(logits).token;
}

/// The token of each of `numbers`, which ascend. A higher number never draws a lower token: so the
/// kernels' texts are made, and wherever one is run that is looked at. Where both ends of a range
/// draw the same token all between them do, so a kernel is run only where the token may change.
std::vector<int> tokens_of(std::span<const float> numbers, Drawing& drawing) {
  std::vector<int> tokens(numbers.size());
  tokens.front() = drawing.draw(numbers.front());
  tokens.back() = drawing.draw(numbers.back());
  std::vector<std::pair<std::size_t, std::size_t>> ranges{{0, numbers.size() - 1}};
  while (!ranges.empty()) {
    const auto [first, last] = ranges.back();
    ranges.pop_back();
    if (tokens[first] < 0 || tokens[first] > tokens[last]) {
      throw std::logic_error(
          "numbers " + std::to_string(numbers[first]) + " and " + std::to_string(numbers[last]) +
          " draw tokens " + std::to_string(tokens[first]) + " and " + std::to_string(tokens[last]));
    }
    if (tokens[first] == tokens[last]) {
      for (std::size_t i = first; i < last; ++i) tokens[i] = tokens[first];
    } else if (last - first > 1) {
      const std::size_t middle = first + (last - first) / 2;
      tokens[middle] = drawing.draw(numbers[middle]);
      ranges.emplace_back(first, middle);
      ranges.emplace_back(middle, last);
    }
  }
  return tokens;
}

struct Outcome {
  std::string kernel;        ///< that drew
  std::size_t possible = 0;  ///< tokens that may be drawn
};

/// Checks kDraws draws by the kernels, and kWhole of them against the CPU's loop.
Outcome draws_are_right(const Case& one) {
  kernels::force_runner(run_and_keep);
  const std::vector<double> shares = probabilities(one);
  std::vector<double> ends(shares.size());  // of the numbers that draw each token
  std::partial_sum(shares.begin(), shares.end(), ends.begin());

  std::vector<std::size_t> order(kDraws);  // draws, by their numbers
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<float> of_draw;
  for (const std::size_t i : order) of_draw.push_back(uniform(one.seed(i), one.position(i)));
  std::ranges::sort(order, {}, [&](std::size_t i) { return of_draw[i]; });
  std::vector<float> numbers;
  for (const std::size_t i : order) numbers.push_back(of_draw[i]);
  by_kernels(one, 0);  // which leaves the inputs of the kernel that draws
  Drawing drawing = last_drawing;
  const std::vector<int> tokens = tokens_of(numbers, drawing);

  std::vector<std::size_t> drawn(shares.size());
  double furthest = 0;  // from the numbers that draw the token exactly
  for (std::size_t i = 0; i < kDraws; ++i) {
    const auto token = static_cast<std::size_t>(tokens[i]);
    ++drawn[token];
    furthest = std::max({furthest, ends[token] - shares[token] - numbers[i],
                         static_cast<double>(numbers[i]) - ends[token]});
  }
  std::size_t possible = 0;
  for (std::size_t token = 0; token < shares.size(); ++token) {
    possible += shares[token] > 0 ? 1 : 0;
    CHECK(shares[token] > 0 || drawn[token] == 0);
  }
  const double p = p_value(drawn, shares);
  if (!(p > kLeastP && furthest < kRounding)) {
    check::fail(__FILE__, __LINE__,
                "p is " + check::show(p) + ", and a number is " + check::show(furthest) +
                    " beside those of its token");
  }

  for (std::size_t i = kDraws / kWhole / 2; i < kDraws; i += kDraws / kWhole) {
    CHECK_EQ(by_kernels(one, order[i]), tokens[i]);
    const double end = ends[static_cast<std::size_t>(tokens[i])];
    const double begin = end - shares[static_cast<std::size_t>(tokens[i])];
    if (numbers[i] > begin + kRounding && numbers[i] < end - kRounding) {
      CHECK_EQ(by_loop(one, order[i]), tokens[i]);
    }
  }
  kernels::force_runner(nullptr);
  last_drawing = {};
  return {drawing.name, possible};
}

/// The likeliest tokens, the likeliest first.
std::vector<int> likeliest(const Case& one, std::size_t count) {
  const Logits logits = one.floats();
  std::vector<int> tokens(logits.size());
  std::iota(tokens.begin(), tokens.end(), 0);
  std::ranges::stable_sort(tokens, std::ranges::greater{},
                           [&](int token) { return logits[static_cast<std::size_t>(token)]; });
  tokens.resize(count);
  return tokens;
}

/// Penalties and bias that change the likeliest tokens.
Case with_edits(Case one) {
  const std::vector<int> best = likeliest(one, 30);
  one.prompt.assign(best.begin() + 10, best.end());
  for (std::size_t i = 0; i < 15; ++i) one.answer.insert(one.answer.end(), 1 + i % 4, best[i]);
  one.params.repetition_penalty = 1.15;
  one.params.presence_penalty = 0.3;
  one.params.frequency_penalty = 0.25;
  one.params.logit_bias = {{best[0], 1.5}, {best[3], -100}, {best[16], 0.7}, {7, 4}, {999, 5}};
  return one;
}

TEST(draws_by_temperature_have_the_exact_shares) {
  CHECK_EQ(draws_are_right(normal(kFew, 2, options(1, 0.7, 0, 1, 0))).kernel, "draw_from_all");
  CHECK_EQ(draws_are_right(normal(kMany, 2, options(2, 1.1, 0, 1, 0))).kernel, "draw_from_all");
}

TEST(draws_by_top_k_have_the_exact_shares) {
  CHECK_EQ(draws_are_right(normal(kFew, 2, options(3, 1, 40, 1, 0))).possible, 40);
  CHECK_EQ(draws_are_right(normal(kMany, 2, options(4, 1.3, 100, 1, 0))).possible, 100);
}

TEST(draws_by_top_p_have_the_exact_shares) {
  for (const Case& one : {normal(kFew, 3, options(5, 1.2, 0, 0.9, 0)),
                          normal(kMany, 3, options(6, 0.8, 0, 0.8, 0))}) {
    const Outcome outcome = draws_are_right(one);
    CHECK_EQ(outcome.kernel, "draw_from_likeliest");
    CHECK(outcome.possible <= kCandidates);
  }
}

TEST(draws_by_top_p_from_more_than_the_likeliest_have_the_exact_shares) {
  CHECK(draws_are_right(normal(kFew, 2, options(7, 1.2, 0, 0.9, 0))).possible > kCandidates);
  CHECK(draws_are_right(normal(kMany, 2, options(8, 1, 0, 0.6, 0.03))).possible > kCandidates);
}

TEST(draws_by_min_p_have_the_exact_shares) {
  CHECK_EQ(draws_are_right(normal(kFew, 2, options(9, 2, 0, 1, 0.03))).kernel, "draw_from_all");
  CHECK_EQ(draws_are_right(normal(kMany, 2, options(10, 1.2, 0, 1, 0.1))).kernel, "draw_from_all");
}

TEST(draws_by_all_options_have_the_exact_shares) {
  draws_are_right(normal(kFew, 2, options(11, 1.5, 60, 0.8, 0.02)));
  draws_are_right(normal(kMany, 2, options(12, 1.5, 120, 0.9, 0.05)));
}

TEST(draws_by_penalties_and_bias_have_the_exact_shares) {
  draws_are_right(with_edits(normal(kFew, 2, options(13, 1, 0, 1, 0))));
  draws_are_right(with_edits(normal(kMany, 2, options(14, 0.9, 50, 0.95, 0))));
}

}  // namespace
