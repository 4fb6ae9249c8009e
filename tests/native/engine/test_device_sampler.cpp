// The sampler that is a graph against the one that is a loop.
#include "engine/device_sampler.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "engine/random.h"
#include "engine/sampler.h"
#include "kernels/mlx/fast.h"
#include "mlx/array.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

using namespace convergio::engine;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
using Logits = std::vector<float>;

mx::array row(const Logits& logits) {
  return mx::array(logits.begin(), {1, static_cast<int>(logits.size())}, mx::float32);
}

/// -1 where the Sampler has to choose.
int token_of(DeviceSample chosen) {
  return std::isfinite(chosen.check.item<float>())
             ? static_cast<int>(chosen.token.item<std::uint32_t>())
             : -1;
}

int on_device(const Logits& logits, const SamplingParams& params, std::uint64_t step) {
  return token_of(DeviceSampler(params).sample(row(logits), step));
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
  int left_to_cpu = 0;  // what top-p leaves may be wider than the candidates
  constexpr int draws = 1000;
  for (int draw = 0; draw < draws; ++draw) {
    Logits logits(static_cast<std::size_t>(one_of({1, 2, 7, 100, 600, 5000})));
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
    const bool filtered =
        params.top_k > 0 && static_cast<std::size_t>(params.top_k) < logits.size();
    if (seen == -1 && !filtered && params.top_p < 1 && logits.size() > kCandidates) {
      ++left_to_cpu;
    } else if (seen != wanted) {
      std::printf("    device %d, CPU %d: size %zu, temperature %g, top_k %d, top_p %g, min_p %g\n",
                  seen, wanted, logits.size(), params.temperature, params.top_k, params.top_p,
                  params.min_p);
      ++differ;
    }
  }
  CHECK(differ <= draws / 1000);  // the rounding of sums in float32
  CHECK(left_to_cpu > 0 && left_to_cpu < draws / 10);
}

TEST(compiled_chains_choose_the_same) {
  std::mt19937_64 random(5);
  for (const std::size_t size : {300, 5000, 128256}) {
    Logits logits(size);
    for (float& logit : logits) logit = static_cast<float>(random() % 4000) / 200;
    for (int setting = 0; setting < 6; ++setting) {
      SamplingParams params;
      params.seed = random();
      params.temperature = 0.8;
      params.top_k = setting % 2 == 0 ? 0 : 30;
      params.top_p = setting % 3 == 0 ? 1 : 0.8;
      params.min_p = setting == 4 ? 0.1 : 0;
      params.repetition_penalty = setting == 5 ? 1.2 : 1.0;
      const auto chosen = [&] {
        DeviceSampler sampler(params);
        sampler.begin(std::vector<int>{1, 2}, {}, static_cast<int>(size));
        return token_of(sampler.sample(row(logits), 3));
      };
      const int wanted = chosen();
      convergio::kernels::force_fusing(true);
      CHECK_EQ(chosen(), wanted);
      convergio::kernels::force_fusing(false);
    }
  }
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
      CHECK_EQ(token_of(DeviceSampler(params).sample(mx::astype(row(logits), dtype), step)),
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
    CHECK_EQ(token_of(DeviceSampler(params).sample(masked(row(logits), allowed), 0)), wanted);
  }
}

TEST(both_samplers_edit_logits_alike) {
  std::mt19937_64 random(3);
  for (int draw = 0; draw < 60; ++draw) {
    constexpr int kVocab = 40;
    SamplingParams params;
    params.seed = random();
    params.temperature = draw % 2;
    params.repetition_penalty = draw % 3 == 0 ? 1.0 : 1.3;
    params.presence_penalty = draw % 4 == 0 ? 0.0 : 0.5;
    params.frequency_penalty = draw % 5 == 0 ? 0.0 : 0.4;
    params.logit_bias = {{3, 2.0}, {5, -100.0}};
    params.logprobs = draw % 7;
    const std::vector<int> prompt{1, 2, 3, 1};
    DeviceSampler device(params);
    device.begin(prompt, {}, kVocab);
    Sampler cpu(params, prompt);
    for (std::uint64_t step = 0; step < 12; ++step) {
      Logits logits(kVocab);
      for (float& logit : logits) logit = static_cast<float>(random() % 1000) / 200 - 2;
      DeviceSample seen = device.sample(row(logits), step);
      Logits copy = logits;
      const Sample wanted = cpu.sample(copy);
      cpu.accept(wanted.token);
      CHECK_EQ(token_of(seen), wanted.token);
      auto& [norm, logit, top, top_logits] = *seen.logprobs;
      CHECK(std::abs(logit.item<float>() - norm.item<float>() - *wanted.logprob) < 1e-5F);
      CHECK_EQ(top.size(), wanted.top.size());
      mx::eval(top, top_logits);
      for (std::size_t i = 0; i < wanted.top.size(); ++i) {
        CHECK_EQ(top.data<std::uint32_t>()[i], static_cast<std::uint32_t>(wanted.top[i].token));
        const float logprob = -top_logits.data<float>()[i] - norm.item<float>();
        CHECK(std::abs(logprob - wanted.top[i].logprob) < 1e-5F);
      }
    }
  }
}

TEST(penalties_go_on_where_an_answer_is_taken_up_again) {
  SamplingParams params;
  params.temperature = 0;
  params.frequency_penalty = 1.0;
  const Logits logits{3, 2.5F, 1, 0};
  DeviceSampler whole(params);
  whole.begin({}, {}, 4);
  std::vector<int> answer;
  for (std::uint64_t step = 0; step < 6; ++step) {
    DeviceSampler again(params);
    again.begin({}, answer, 4);
    answer.push_back(token_of(whole.sample(row(logits), step)));
    CHECK_EQ(token_of(again.sample(row(logits), step)), answer.back());
  }
  CHECK(answer == std::vector<int>({0, 1, 0, 1, 0, 2}));
}

TEST(tokens_of_a_prompt_that_the_tokenizer_does_not_know_are_not_penalized) {
  SamplingParams params;
  params.temperature = 0;
  params.repetition_penalty = 2.0;
  DeviceSampler sampler(params);
  sampler.begin(std::vector<int>{0, 4, 50}, {}, 4);
  CHECK_EQ(token_of(sampler.sample(row({3, 2.5F, 1, 0}), 0)), 1);
}

TEST(no_log_probabilities_of_many_tokens_are_none) {
  SamplingParams params;
  params.temperature = 0;
  params.logprobs = 0;
  Logits logits(5000, 0.0F);
  logits[7] = 1.0F;
  CHECK_EQ(token_of(DeviceSampler(params).sample(row(logits), 0)), 7);
}

TEST(the_likeliest_of_many_are_found_by_groups) {
  std::mt19937_64 random(4);
  for (const int size : {4096, 5000, 128256, 151669}) {
    for (const int top_k : {1, 20, 90}) {
      Logits logits(static_cast<std::size_t>(size));
      for (float& logit : logits) logit = static_cast<float>(random() % 4000) / 200;  // many equal
      SamplingParams params;
      params.top_k = top_k;
      params.temperature = 5;
      for (std::uint64_t step = 0; step < 5; ++step) {
        CHECK_EQ(on_device(logits, params, step), on_cpu(logits, params, step));
      }
    }
  }
}

/// Draws of each token beside what is expected: the sum of (seen - wanted)² / wanted.
double chi_squared(const std::vector<double>& seen, const std::vector<double>& wanted) {
  double sum = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    CHECK(wanted[i] > 0 || seen[i] == 0);
    sum += wanted[i] > 0 ? (seen[i] - wanted[i]) * (seen[i] - wanted[i]) / wanted[i] : 0;
  }
  return sum;
}

TEST(a_million_draws_are_distributed_as_the_samplers) {
  constexpr int kDraws = 1'000'000;
  constexpr int kVocab = 24;
  Logits logits(kVocab);
  for (int i = 0; i < kVocab; ++i)
    logits[static_cast<std::size_t>(i)] = static_cast<float>(i * 7 % 24) / 5;
  std::vector<float> uniforms(kDraws);
  for (int i = 0; i < kDraws; ++i)
    uniforms[static_cast<std::size_t>(i)] = uniform(11, static_cast<std::uint64_t>(i));
  const mx::array numbers(uniforms.begin(), {kDraws}, mx::float32);
  struct Setting {
    double temperature;
    int top_k;
    double top_p;
    double min_p;
  };
  for (const Setting& one : {Setting{1, 0, 1, 0},
                             {0.6, 0, 1, 0},
                             {2, 0, 1, 0},
                             {1, 6, 1, 0},
                             {1, 0, 0.8, 0},
                             {1, 0, 1, 0.1},
                             {1.3, 12, 0.9, 0.05}}) {
    SamplingParams params;
    params.temperature = one.temperature;
    params.top_k = one.top_k;
    params.top_p = one.top_p;
    params.min_p = one.min_p;
    params.seed = 12;
    DeviceSample drawn = sample_on_device(row(logits), params, numbers);
    mx::eval(drawn.token, drawn.check);
    std::vector<double> seen(kVocab, 0);
    std::vector<double> wanted(kVocab, 0);
    for (int i = 0; i < kDraws; ++i) {
      CHECK(std::isfinite(drawn.check.data<float>()[i]));
      ++seen[drawn.token.data<std::uint32_t>()[i]];
    }
    Sampler sampler(params, {});
    for (int i = 0; i < kDraws; ++i) {
      Logits copy = logits;
      ++wanted[static_cast<std::size_t>(sampler.sample(copy).token)];
      sampler.accept(0);
    }
    // both are samples, so that the sum is of twice the variance; 23 degrees of freedom at most:
    // 49.7 is passed once in a thousand times, and numbers are the same each time
    CHECK(chi_squared(seen, wanted) < 2 * 49.7);
  }
}

}  // namespace
