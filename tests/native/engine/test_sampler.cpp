// The sampler against one that sorts the whole vocabulary.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "engine/random.h"
#include "engine/sampler.h"

using convergio::engine::Sample;
using convergio::engine::Sampler;
using convergio::engine::SamplingParams;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
using Logits = std::vector<float>;

std::size_t index(int token) { return static_cast<std::size_t>(token); }

std::vector<int> by_likelihood(const Logits& logits) {
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order,
                           [&](int a, int b) { return logits[index(a)] > logits[index(b)]; });
  return order;
}

void edit(Logits& logits, const SamplingParams& params, const std::vector<int>& prompt,
          const std::vector<int>& answer) {
  std::map<int, int> in_answer;
  for (const int token : answer) ++in_answer[token];
  std::map<int, int> in_all = in_answer;
  for (const int token : prompt) ++in_all[token];
  for (const auto& [token, count] : in_all) {
    float& logit = logits[index(token)];
    const auto penalty = static_cast<float>(params.repetition_penalty);
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
  for (const auto& [token, count] : in_answer) {
    logits[index(token)] -=
        static_cast<float>(params.presence_penalty + params.frequency_penalty * count);
  }
  for (const auto& [token, bias] : params.logit_bias) {
    logits[index(token)] += static_cast<float>(bias);
  }
}

int chosen(const Logits& logits, const SamplingParams& params, std::uint64_t step) {
  std::vector<int> order = by_likelihood(logits);
  if (params.temperature == 0) return order[0];
  const float highest = logits[index(order[0])];
  const auto weight = [&](int token) {
    return std::exp((logits[index(token)] - highest) / static_cast<float>(params.temperature));
  };
  if (params.top_k > 0 && index(params.top_k) < order.size()) order.resize(index(params.top_k));
  // logits that differ by less than a float's weight can tell are equal from here on
  std::ranges::sort(order);
  std::ranges::stable_sort(order, [&](int a, int b) { return weight(a) > weight(b); });
  double total = 0;
  for (const int token : order) total += weight(token);
  std::vector<int> kept;
  double sum = 0;
  for (const int token : order) {
    if (!kept.empty() && (sum >= params.top_p * total && params.top_p < 1)) break;
    if (weight(token) < params.min_p) break;
    kept.push_back(token);
    sum += weight(token);
  }
  std::ranges::sort(kept);
  total = 0;
  for (const int token : kept) total += weight(token);
  const double target = convergio::engine::uniform(params.seed, step) * total;
  sum = 0;
  for (const int token : kept) {
    sum += weight(token);
    if (sum > target) return token;
  }
  return order[0];
}

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }
  double real(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  template <class T>
  T one_of(std::initializer_list<T> items) {
    return items.begin()[below(static_cast<int>(items.size()))];
  }

  /// Smooth or with many ties, flat or peaked, some of them impossible; one is finite.
  Logits logits(int size) {
    std::normal_distribution<float> normal(0, static_cast<float>(one_of({1e-9, 0.1, 2.0, 30.0})));
    const float grain = one_of({0.0F, 0.25F, 4.0F});
    const int impossible = one_of({0, 0, 3, 90});
    Logits out(index(size));
    for (float& logit : out) {
      logit = normal(random_);
      if (grain > 0) logit = std::round(logit / grain) * grain;
      if (below(100) < impossible) logit = -kInfinity;
    }
    out[index(below(size))] = 1.5F;
    return out;
  }

  SamplingParams params(int vocab_size) {
    SamplingParams params;
    params.seed = random_();
    params.temperature = one_of({0.0, 1e-40, 0.01, 0.7, 1.0, 3.0, 100.0});
    params.top_k = one_of({0, 0, 1, 2, 40, vocab_size, vocab_size + 1, 2147483647});
    // no round number: with equal logits the rounding of sums would decide
    params.top_p = one_of({1.0, 1.0, 1e-9, real(0.01, 0.99), 0.8973, 0.9999999});
    params.min_p = one_of({0.0, 0.0, 1e-9, 0.05, real(0, 0.999)});
    if (below(3) == 0) {
      params.repetition_penalty = real(0.5, 2);
      params.presence_penalty = real(-2, 2);
      params.frequency_penalty = real(-2, 2);
      for (int i = below(4); i-- > 0;) {
        params.logit_bias.emplace_back(below(vocab_size), real(-10, 10));
      }
    }
    return params;
  }

 private:
  std::mt19937_64 random_;
};

std::string describe(const SamplingParams& p, std::size_t size) {
  return "size " + std::to_string(size) + ", temperature " + std::to_string(p.temperature) +
         ", top_k " + std::to_string(p.top_k) + ", top_p " + std::to_string(p.top_p) + ", min_p " +
         std::to_string(p.min_p) + ", seed " + std::to_string(p.seed);
}

TEST(sampler_chooses_as_a_full_sort_would) {
  Dice dice(1);
  for (int round = 0; round < 1500; ++round) {
    const int size = dice.one_of({1, 2, 3, 10, 63, 64, 65, 127, 128, 129, 1000, 3000});
    const SamplingParams params = dice.params(size);
    params.validate(size);
    std::vector<int> prompt;
    for (int i = dice.below(5); i-- > 0;) prompt.push_back(dice.below(size));
    std::vector<int> answer;
    Sampler sampler(params, prompt);
    for (std::uint64_t step = 0; step < 6; ++step) {
      Logits logits = dice.logits(size);
      Logits edited = logits;
      edit(edited, params, prompt, answer);
      const int wanted = chosen(edited, params, step);
      const int seen = sampler.sample(logits).token;
      if (seen != wanted) {
        check::fail(__FILE__, __LINE__,
                    describe(params, logits.size()) + ": chose " + std::to_string(seen) +
                        ", a full sort " + std::to_string(wanted));
      }
      sampler.accept(seen);
      answer.push_back(seen);
    }
  }
}

TEST(logprobs_are_of_the_models_own_distribution) {
  Dice dice(2);
  for (int round = 0; round < 300; ++round) {
    const int size = dice.one_of({1, 2, 50, 100, 101, 2000});
    SamplingParams params = dice.params(size);
    params.logprobs = dice.one_of({0, 1, 5, 100});
    SamplingParams silent = params;
    silent.logprobs.reset();
    const Logits logits = dice.logits(size);

    Logits copy = logits;
    const Sample sample = Sampler(params, {}).sample(copy);
    copy = logits;
    const Sample without = Sampler(silent, {}).sample(copy);
    CHECK_EQ(without.token, sample.token);
    CHECK(!without.logprob && without.top.empty());

    const double highest = *std::ranges::max_element(logits);
    double total = 0;
    for (const float logit : logits) total += std::exp(logit - highest);
    const auto logprob = [&](int token) {
      return logits[index(token)] - highest - std::log(total);
    };
    const auto near = [](double a, double b) {
      return a == b || std::abs(a - b) < 1e-4 * (1 + std::abs(b));
    };
    CHECK(near(sample.logprob.value(), logprob(sample.token)));
    const std::vector<int> order = by_likelihood(logits);
    CHECK_EQ(sample.top.size(), std::min(index(*params.logprobs), logits.size()));
    for (std::size_t i = 0; i < sample.top.size(); ++i) {
      CHECK_EQ(sample.top[i].token, order[i]);
      CHECK(near(sample.top[i].logprob, logprob(order[i])));
    }
  }
}

TEST(tokens_come_as_often_as_they_are_probable) {
  const Logits logits{0.0F, 1.0F, -1.0F, 2.0F, -kInfinity, 0.5F};
  constexpr int draws = 20'000;
  for (const double temperature : {0.5, 1.0, 2.0}) {
    for (const double top_p : {1.0, 0.9999999}) {  // all at once, or by selection
      SamplingParams params;
      params.temperature = temperature;
      params.top_p = top_p;
      params.seed = 42;
      Sampler sampler(params, {});
      std::vector<int> counts(logits.size());
      for (int i = 0; i < draws; ++i) {
        Logits copy = logits;
        const int token = sampler.sample(copy).token;
        ++counts[index(token)];
        sampler.accept(token);
      }
      double total = 0;
      for (const float logit : logits) total += std::exp(logit / temperature);
      double chi_square = 0;
      for (std::size_t i = 0; i < logits.size(); ++i) {
        const double expected = draws * std::exp(logits[i] / temperature) / total;
        if (expected > 0) chi_square += std::pow(counts[i] - expected, 2) / expected;
      }
      CHECK_EQ(counts[4], 0);
      CHECK(chi_square < 18.5);  // 4 degrees of freedom: once in a thousand
    }
  }
}

TEST(the_same_seed_and_step_draw_the_same) {
  SamplingParams params;
  params.seed = 5;
  Dice dice(3);
  Sampler one(params, {});
  Sampler other(params, {});
  std::vector<int> tokens;
  for (int i = 0; i < 50; ++i) {
    const Logits logits = dice.logits(500);
    Logits a = logits;
    Logits b = logits;
    tokens.push_back(one.sample(a).token);
    CHECK_EQ(other.sample(b).token, tokens.back());
    b = logits;
    CHECK_EQ(other.sample(b).token, tokens.back());  // until the token is accepted
    one.accept(tokens.back());
    other.accept(tokens.back());
  }
}

TEST(a_guess_is_what_will_be_sampled_once_those_before_it_are_accepted) {
  for (const double temperature : {0.0, 0.8}) {
    SamplingParams params;
    params.temperature = temperature;
    params.seed = 9;
    params.repetition_penalty = 1.3;
    params.presence_penalty = 0.4;
    params.frequency_penalty = 0.3;
    Dice dice(7);
    const std::vector<int> prompt{1, 2, 3};
    Sampler guessing(params, prompt);
    guessing.accept(5);
    Sampler sampling = guessing;
    std::vector<int> ahead;
    for (int i = 0; i < 20; ++i) {
      const Logits logits = dice.logits(12);
      Logits a = logits;
      Logits b = logits;
      const int token = guessing.guess(a, ahead, nullptr).token;
      CHECK_EQ(sampling.sample(b).token, token);
      sampling.accept(token);
      ahead.push_back(token);
    }
  }
}

TEST(the_margin_of_a_guess_is_over_the_next_token) {
  SamplingParams params;
  params.temperature = 0;
  Sampler sampler(params, {});
  Logits logits{1, 4, 2.5F};
  CHECK_EQ(sampler.guess(logits, {}, nullptr).margin, 1.5F);
  logits = {1, 4, 2.5F};
  const convergio::engine::TokenMask mask{0b101};
  const Sampler::Guess guess = sampler.guess(logits, {}, &mask);
  CHECK_EQ(guess.token, 2);
  CHECK_EQ(guess.margin, 1.5F);
}

TEST(of_equal_logits_the_lower_token_goes_first) {
  SamplingParams params;
  params.top_k = 3;
  std::map<int, int> counts;
  for (params.seed = 0; params.seed < 200; ++params.seed) {
    Logits logits(1000, 1.0F);
    ++counts[Sampler(params, {}).sample(logits).token];
  }
  CHECK_EQ(counts.size(), 3);
  CHECK_EQ(counts.rbegin()->first, 2);
  params.temperature = 0;
  Logits logits(1000, 1.0F);
  CHECK_EQ(Sampler(params, {}).sample(logits).token, 0);
}

TEST(logits_that_are_not_finite_are_refused) {
  constexpr auto sentence =
      "[sampling] the model's logits are not finite; its weights are damaged or its numbers "
      "overflow: verify the model's files.";
  for (const double temperature : {0.0, 1.0}) {
    for (const Logits& bad : {Logits{kNan}, Logits{0, kNan, 5}, Logits{0, 1, kInfinity},
                              Logits{-kInfinity, -kInfinity}, Logits{kNan, kInfinity}}) {
      for (const int top_k : {0, 1}) {
        SamplingParams params;
        params.temperature = temperature;
        params.top_k = top_k;
        Logits logits = bad;
        CHECK_THROWS(Sampler(params, {}).sample(logits), InferenceFailed, sentence);
      }
    }
  }
}

TEST(large_vocabularies_are_no_trouble) {
  Dice dice(4);
  Logits flat(200'000, 0.0F);
  for (const double top_p : {0.5, 0.99}) {
    SamplingParams params;
    params.top_p = top_p;
    params.seed = 9;
    Logits copy = flat;
    CHECK_EQ(Sampler(params, {}).sample(copy).token, chosen(flat, params, 0));
  }
}

TEST(every_option_has_its_range) {
  const auto expect = [](auto change, const std::string& sentence) {
    SamplingParams params;
    change(params);
    CHECK_THROWS(params.validate(100), InvalidRequest, "[sampling] " + sentence);
  };
  using P = SamplingParams&;
  const auto number = [&](double SamplingParams::* field, const std::string& name,
                          const std::string& range,
                          std::vector<std::pair<double, const char*>> bad) {
    bad.insert(bad.end(), {{std::nan(""), "nan"}, {HUGE_VAL, "inf"}, {-HUGE_VAL, "-inf"}});
    for (const auto& [value, text] : bad) {
      expect([&](P p) { p.*field = value; },
             name + " is " + text + ", which must be " + range + ".");
    }
  };
  number(&SamplingParams::temperature, "temperature", "from 0 (greedy) to 100",
         {{-0.1, "-0.1"}, {100.5, "100.5"}, {1e300, "1e+300"}});
  number(&SamplingParams::top_p, "top_p", "above 0 and at most 1",
         {{0, "0"}, {1.0000001, "1.0000001"}});
  number(&SamplingParams::min_p, "min_p", "from 0 to below 1", {{1, "1"}, {-1e-9, "-1e-09"}});
  number(&SamplingParams::repetition_penalty, "repetition_penalty", "from 0.01 to 100",
         {{0, "0"}, {0.009, "0.009"}});
  number(&SamplingParams::presence_penalty, "presence_penalty", "from -100 to 100",
         {{100.1, "100.1"}});
  number(&SamplingParams::frequency_penalty, "frequency_penalty", "from -100 to 100",
         {{-100.1, "-100.1"}});
  expect([](P p) { p.top_k = -1; }, "top_k is -1, which must be 0 (all tokens) or more.");
  expect([](P p) { p.logprobs = 101; }, "logprobs is 101, which must be from 0 to 100.");
  expect([](P p) { p.logit_bias = {{1, 1.0}, {100, 1.0}}; },
         "a token of logit_bias is 100, which must be from 0 to 99.");
  expect([](P p) { p.logit_bias = {{-1, 1.0}}; },
         "a token of logit_bias is -1, which must be from 0 to 99.");
  expect([](P p) { p.logit_bias = {{1, 1001}}; },
         "a value of logit_bias is 1001, which must be from -1000 to 1000.");
}

}  // namespace
