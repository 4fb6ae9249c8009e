// The sampler that is a graph against the one that is a loop.
#include "engine/device_sampler.h"

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "engine/random.h"
#include "engine/sampler.h"
#include "mlx/array.h"
#include "mlx/ops.h"

using namespace convergio::engine;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
using Logits = std::vector<float>;

mx::array row(const Logits& logits) {
  return mx::array(logits.begin(), {1, static_cast<int>(logits.size())}, mx::float32);
}

int on_device(const Logits& logits, const SamplingParams& params, std::uint64_t step) {
  return sample_on_device(row(logits), params, step).item<int>();
}

int on_cpu(Logits logits, const SamplingParams& params, std::uint64_t step) {
  Sampler sampler(params, {});
  for (std::uint64_t i = 0; i < step; ++i) sampler.accept(0);
  return sampler.sample(logits).token;
}

TEST(both_samplers_choose_the_same) {
  std::mt19937_64 random(1);
  const auto one_of = [&](std::initializer_list<double> items) {
    return items.begin()[random() % items.size()];
  };
  int differ = 0;
  constexpr int draws = 1000;
  for (int draw = 0; draw < draws; ++draw) {
    Logits logits(static_cast<std::size_t>(one_of({1, 2, 7, 100, 600})));
    std::normal_distribution<float> normal(0, static_cast<float>(one_of({0.5, 2, 20})));
    const auto grain = static_cast<float>(one_of({0, 0, 0.5, 2}));
    for (float& logit : logits) {
      logit = normal(random);
      if (grain > 0) logit = std::round(logit / grain) * grain;  // as half precision ties them
      if (random() % 20 == 0) logit = -kInfinity;
    }
    logits[random() % logits.size()] = 1;
    SamplingParams params;
    params.seed = random();
    params.temperature = one_of({0, 1e-40, 0.1, 0.8, 1, 5});
    params.top_k = static_cast<int>(one_of({0, 0, 1, 5, 50, 600, 1e9}));
    params.top_p = one_of({1, 1, 1e-6, 0.3217, 0.8973, 0.99991});
    params.min_p = one_of({0, 0, 0.0501, 0.5003});
    const auto step = random() % 50;
    const int seen = on_device(logits, params, step);
    const int wanted = on_cpu(logits, params, step);
    if (seen != wanted) {
      std::printf("    device %d, CPU %d: size %zu, temperature %g, top_k %d, top_p %g, min_p %g\n",
                  seen, wanted, logits.size(), params.temperature, params.top_k, params.top_p,
                  params.min_p);
      ++differ;
    }
  }
  CHECK(differ <= draws / 1000);  // the rounding of sums in float32
}

TEST(among_equal_logits_both_keep_the_lower_tokens) {
  const Logits logits(300, 2.5F);
  for (const int top_k : {1, 2, 17, 299}) {
    for (std::uint64_t step = 0; step < 40; ++step) {
      SamplingParams params;
      params.top_k = top_k;
      const int seen = on_device(logits, params, step);
      CHECK(seen >= 0 && seen < top_k);
      CHECK_EQ(seen, on_cpu(logits, params, step));
    }
  }
}

TEST(logits_that_are_not_finite_give_no_token) {
  for (const double temperature : {0.0, 1.0}) {
    for (const Logits& bad : {Logits{std::nanf("")}, Logits{0, std::nanf(""), 5},
                              Logits{0, 1, kInfinity}, Logits{-kInfinity, -kInfinity}}) {
      SamplingParams params;
      params.temperature = temperature;
      CHECK_EQ(on_device(bad, params, 0), -1);
    }
  }
}

TEST(half_precision_logits_are_taken_too) {
  SamplingParams params;
  const Logits logits{0, 1, 5, -2};
  for (const auto dtype : {mx::float16, mx::bfloat16}) {
    for (std::uint64_t step = 0; step < 20; ++step) {
      CHECK_EQ(sample_on_device(mx::astype(row(logits), dtype), params, step).item<int>(),
               on_cpu(logits, params, step));
    }
  }
}

TEST(both_samplers_obey_a_mask_alike) {
  std::mt19937_64 random(2);
  for (int draw = 0; draw < 200; ++draw) {
    Logits logits(1 + random() % 100);
    for (float& logit : logits) logit = static_cast<float>(random() % 1000) / 100;
    TokenMask allowed(1 + random() % ((logits.size() + 31) / 32));
    for (std::uint32_t& word : allowed) word = static_cast<std::uint32_t>(random() & random());
    allowed[0] |= 1U;
    SamplingParams params;
    params.seed = random();
    params.temperature = draw % 2;
    params.top_k = draw % 3 == 0 ? 4 : 0;
    Sampler sampler(params, {});
    Logits copy = logits;
    const int wanted = sampler.sample(copy, &allowed).token;
    CHECK_EQ(sample_on_device(masked(row(logits), allowed), params, 0).item<int>(), wanted);
  }
}

TEST(what_needs_the_cpu_is_told) {
  SamplingParams params;
  params.top_k = 5;
  params.top_p = 0.5;
  params.min_p = 0.1;
  CHECK(samples_on_device(params));
  SamplingParams other = params;
  other.logprobs = 0;
  CHECK(!samples_on_device(other));
  other = params;
  other.logit_bias = {{1, 1.0}};
  CHECK(!samples_on_device(other));
  for (const auto field : {&SamplingParams::repetition_penalty, &SamplingParams::presence_penalty,
                           &SamplingParams::frequency_penalty}) {
    other = params;
    other.*field = 0.5;
    CHECK(!samples_on_device(other));
  }
}

}  // namespace
