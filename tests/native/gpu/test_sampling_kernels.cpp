// The kernels that draw tokens, by their texts as C++, against MLX's ops and the loop on a CPU.
#include "engine/sampling_kernels.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "check.h"
#include "engine/random.h"
#include "engine/sampler.h"
#include "gpu/runner.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

using namespace convergio::engine;
namespace kernels = convergio::kernels;
namespace mx = mlx::core;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
using Logits = std::vector<float>;

/// The texts as C++ run kernels, as long as this lives.
struct ByTwin {
  explicit ByTwin(kernels::GpuRunner runner = twin::run) { kernels::force_runner(runner); }
  ~ByTwin() {
    kernels::force_runner(nullptr);
    force_trial(std::nullopt);
  }
  ByTwin(const ByTwin&) = delete;
  ByTwin& operator=(const ByTwin&) = delete;
};

SamplingParams filters(int top_k, double top_p, double min_p) {
  SamplingParams params;
  params.top_k = top_k;
  params.top_p = top_p;
  params.min_p = min_p;
  return params;
}

mx::array row(const Logits& logits) {
  return mx::array(logits.begin(), {1, static_cast<int>(logits.size())}, mx::float32);
}

std::vector<int> tokens_of(DeviceSample chosen) {
  mx::eval(chosen.token, chosen.check);
  std::vector<int> tokens;
  for (std::size_t i = 0; i < chosen.token.size(); ++i) {
    tokens.push_back(std::isfinite(chosen.check.data<float>()[i])
                         ? static_cast<int>(chosen.token.data<std::uint32_t>()[i])
                         : -1);
  }
  return tokens;
}

int by_kernels(const Logits& logits, const SamplingParams& params, float u) {
  return tokens_of(draw_by_kernels(row(logits), false, params, mx::array({u})))[0];
}

int by_ops(const mx::array& logits, const SamplingParams& params, float u) {
  return tokens_of(sample_on_device(logits, params, mx::array({u})))[0];
}

struct Chance {
  std::mt19937_64 random;

  double of(std::initializer_list<double> items) { return items.begin()[random() % items.size()]; }

  Logits logits(std::size_t size) {
    Logits logits(size);
    std::normal_distribution<float> normal(0, static_cast<float>(of({0.5, 2, 20})));
    const auto grain = static_cast<float>(of({0, 0, 0.5, 2}));
    for (float& logit : logits) {
      logit = normal(random);
      if (grain > 0) logit = std::round(logit / grain) * grain;
      if (random() % 20 == 0) logit = -kInfinity;
    }
    logits[random() % size] = 1;
    return logits;
  }

  SamplingParams params() {
    SamplingParams params;
    params.temperature = of({0.1, 0.8, 1, 5});
    params.top_k = static_cast<int>(of({0, 0, 1, 5, 50, 128, 1e9}));
    params.top_p = of({1, 1, 1e-6, 0.3217, 0.8973, 0.99991});
    params.min_p = of({0, 0, 0.0501, 0.5003});
    return params;
  }
};

int by_loop(const mx::array& logits, const SamplingParams& params) {
  const mx::array floats = mx::contiguous(mx::astype(logits, mx::float32));
  mx::eval(floats);
  Logits copy(floats.data<float>(), floats.data<float>() + floats.size());
  return Sampler(params, {}).sample(copy).token;
}

/// Rows of such logits in a dtype, by kernels, by ops and by the CPU's loop; for how many the
/// kernels stand alone. Ops round a sum over a whole vocabulary by more than the other two.
int differences(Chance& chance, int rows, std::size_t vocab, mx::Dtype dtype) {
  std::vector<mx::array> all;
  std::vector<std::uint64_t> seeds;
  std::vector<float> numbers;
  for (int i = 0; i < rows; ++i) {
    all.push_back(row(chance.logits(vocab)));
    seeds.push_back(chance.random());
    numbers.push_back(uniform(seeds.back(), 0));
  }
  const mx::array logits = mx::astype(mx::concatenate(all, 0), dtype);
  SamplingParams params = chance.params();
  const std::vector<int> drawn = tokens_of(
      draw_by_kernels(logits, false, params, mx::array(numbers.begin(), {rows}, mx::float32)));
  int differ = 0;
  for (int i = 0; i < rows; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const mx::array one = mx::slice(logits, {i, 0}, {i + 1, logits.shape(1)});
    params.seed = seeds[at];
    const int seen = drawn[at];
    const int wanted = by_ops(one, params, numbers[at]);
    if (seen != wanted && seen != by_loop(one, params)) {
      std::printf("    kernels %d, ops %d: %zu, temperature %g, top_k %d, top_p %g, min_p %g\n",
                  seen, wanted, vocab, params.temperature, params.top_k, params.top_p,
                  params.min_p);
      ++differ;
    }
  }
  return differ;
}

TEST(kernels_draw_what_ops_draw) {
  const ByTwin by_twin;
  Chance chance{std::mt19937_64(1)};
  int differ = 0;
  for (int draw = 0; draw < 150; ++draw) {
    const auto size = static_cast<std::size_t>(chance.of({1, 2, 7, 63, 64, 65, 600, 4097}));
    const int rows = static_cast<int>(chance.of({1, 1, 2}));
    const mx::Dtype dtype = draw % 3 == 0   ? mx::float16
                            : draw % 3 == 1 ? mx::bfloat16
                                            : mx::float32;
    differ += differences(chance, rows, size, dtype);
  }
  CHECK(differ <= 1);  // the rounding of sums in float32
}

TEST(kernels_draw_from_whole_vocabularies_and_many_rows) {
  const ByTwin by_twin;
  Chance chance{std::mt19937_64(2)};
  CHECK_EQ(differences(chance, 16, 1000, mx::bfloat16), 0);
  for (const std::size_t vocab : {32000, 128256, 151669, 262144, 262208}) {
    for (const auto dtype : {mx::bfloat16, mx::float16}) {
      CHECK_EQ(differences(chance, 1, vocab, dtype), 0);
    }
  }
}

TEST(among_equal_logits_the_lower_tokens_stay) {
  const ByTwin by_twin;
  for (const int top_k : {1, 17, 128}) {
    for (const std::size_t vocab : {300, 20000}) {
      const Logits logits(vocab, 2.5F);
      SamplingParams params;
      params.top_k = top_k;
      for (const float u : {0.0F, 0.5F, 0x0.ffffffp0F}) {
        CHECK_EQ(by_kernels(logits, params, u), static_cast<int>(u * static_cast<float>(top_k)));
      }
    }
  }
}

TEST(logits_that_are_no_numbers_give_no_token) {
  const ByTwin by_twin;
  Logits late(5000, 1.0F);
  late[4990] = kNan;
  for (const Logits& bad : {Logits{kNan}, Logits{0, kNan, 5}, Logits{0, 1, kInfinity},
                            Logits{-kInfinity, -kInfinity}, Logits{-kInfinity, kNan}, late}) {
    for (const SamplingParams& params :
         {filters(0, 1, 0), filters(1, 1, 0), filters(0, 0.5, 0), filters(0, 1, 0.5)}) {
      CHECK_EQ(by_kernels(bad, params, 0.5F), -1);
    }
  }
}

TEST(top_p_may_leave_more_tokens_than_the_likeliest) {
  const ByTwin by_twin;
  Logits logits(1000, 0.0F);
  for (const int count : {127, 128, 129, 500, 999, 1000}) {
    SamplingParams params;
    params.top_p = (count - 0.5) / 1000;
    CHECK_EQ(by_kernels(logits, params, 0x0.ffffffp0F), count - 1);
    CHECK_EQ(by_kernels(logits, params, 0.0F), 0);
  }
  logits[900] = std::log(2.0F);
  SamplingParams params;
  params.top_p = 300.5 / 1001;
  CHECK_EQ(by_kernels(logits, params, 0x0.ffffffp0F), 900);
  CHECK_EQ(by_kernels(logits, params, 298.5F / 301), 298);
  params.min_p = 0.75;
  CHECK_EQ(by_kernels(logits, params, 0.0F), 900);
  logits[901] = kNan;
  CHECK_EQ(by_kernels(logits, params, 0.0F), -1);
}

TEST(a_top_p_that_float_rounds_keeps_all_or_the_best) {
  const ByTwin by_twin;
  Logits logits(1000, 0.0F);
  CHECK_EQ(by_kernels(logits, filters(0, 0.99999999, 0), 0x0.ffffffp0F), 999);
  logits[700] = 1;
  CHECK_EQ(by_kernels(logits, filters(0, 1e-46, 0), 0.5F), 700);
}

TEST(every_token_is_drawn_for_its_share_of_the_numbers) {
  const ByTwin by_twin;
  Logits logits(200, -kInfinity);
  const std::vector<float> weights{1, 2, 3, 2};
  for (std::size_t i = 0; i < weights.size(); ++i) logits[60 + 3 * i] = std::log(weights[i]);
  for (const SamplingParams& params : {filters(0, 1, 0), filters(4, 1, 0), filters(0, 0.999, 0)}) {
    std::vector<int> drawn(logits.size());
    constexpr int kDraws = 64;
    for (int i = 0; i < kDraws; ++i) {
      const float u = (static_cast<float>(i) + 0.5F) / kDraws;
      ++drawn[static_cast<std::size_t>(by_kernels(logits, params, u))];
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      CHECK_EQ(drawn[60 + 3 * i], static_cast<int>(weights[i]) * kDraws / 8);
    }
  }
}

TEST(only_what_fits_is_left_to_kernels) {
  SamplingParams params;
  CHECK(kernels_draw(params, 128256));
  CHECK(kernels_draw(params, 524288));
  CHECK(!kernels_draw(params, 524289));
  params.top_k = 128;
  CHECK(kernels_draw(params, 1000));
  params.top_k = 129;
  CHECK(!kernels_draw(params, 1000));
  CHECK(kernels_draw(params, 129));
  params.temperature = 0;
  CHECK(!kernels_draw(params, 129));
}

TEST(a_sampler_by_kernels_edits_and_reports_as_the_loop_does) {
  const ByTwin by_twin;
  CHECK_EQ(sampling_kernels().fault, "");
  CHECK(sampling_kernels().passed);
  std::mt19937_64 random(3);
  for (int draw = 0; draw < 6; ++draw) {
    constexpr int kVocab = 140;
    SamplingParams params;
    params.seed = random();
    params.top_k = draw % 2 == 0 ? 0 : 7;
    params.repetition_penalty = draw % 3 == 0 ? 1.0 : 1.3;
    params.frequency_penalty = 0.4;
    params.logit_bias = {{3, 2.0}, {5, -100.0}};
    params.logprobs = 2;
    const std::vector<int> prompt{1, 2, 3, 1};
    DeviceSampler device(params);
    device.begin(prompt, {}, kVocab);
    Sampler cpu(params, prompt);
    for (std::uint64_t step = 0; step < 4; ++step) {
      Logits logits(kVocab);
      for (float& logit : logits) logit = static_cast<float>(random() % 1000) / 200 - 2;
      DeviceSample seen = device.sample(row(logits), step);
      const Sample wanted = cpu.sample(logits);
      cpu.accept(wanted.token);
      CHECK_EQ(tokens_of(seen)[0], wanted.token);
      const float logprob = seen.logprobs->logit.item<float>() - seen.logprobs->norm.item<float>();
      CHECK(std::abs(logprob - *wanted.logprob) < 1e-5F);
    }
  }
}

/// A GPU that draws the token behind the one that is right.
std::vector<mx::array> one_behind(const kernels::GpuKernel& kernel,
                                  const std::vector<mx::array>& inputs,
                                  const kernels::GpuRun& run) {
  std::vector<mx::array> out = twin::run(kernel, inputs, run);
  if (kernel.name == "draw_from_likeliest") {
    out[0] = mx::add(out[0], mx::array(1U, mx::uint32));
  }
  return out;
}

std::vector<mx::array> does_not_compile(const kernels::GpuKernel&, const std::vector<mx::array>&,
                                        const kernels::GpuRun&) {
  throw std::runtime_error("[metal::Device] Unable to build metal library from source");
}

std::vector<mx::array> finds_no_memory(const kernels::GpuKernel&, const std::vector<mx::array>&,
                                       const kernels::GpuRun&) {
  throw std::bad_alloc();
}

TEST(a_trial_without_memory_says_nothing_of_the_kernels) {
  const ByTwin full(finds_no_memory);
  force_trial(std::nullopt);
  auto kind = convergio::ErrorKind::InvalidRequest;
  try {
    sampling_kernels();
  } catch (const convergio::Error& error) {
    kind = error.kind();
  }
  CHECK(kind == convergio::ErrorKind::OutOfMemory);
  kernels::force_runner(twin::run);
  CHECK(sampling_kernels().passed);
}

TEST(kernels_that_differ_or_do_not_compile_are_left_alone) {
  CHECK_EQ(sampling_kernels().fault, "MLX computes on a CPU");
  {
    const ByTwin wrong(one_behind);
    force_trial(std::nullopt);
    CHECK_EQ(sampling_kernels().fault, "they drew token 52 of 100 in place of 51");
  }
  const ByTwin broken(does_not_compile);
  force_trial(std::nullopt);
  CHECK_EQ(sampling_kernels().fault, "[metal::Device] Unable to build metal library from source");
  CHECK(!sampling_kernels().passed);
  // and tokens are drawn by ops: nothing here throws
  CHECK(tokens_of(DeviceSampler(filters(2, 1, 0)).sample(row({1, 2, 3}), 0))[0] >= 1);
}

}  // namespace
