#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/random.h"
#include "engine/sampling_kernels.h"
#include "kernels/mlx/gpu_kernel.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

constexpr int kRows = 4;

std::optional<KernelTrial> the_trial;  // the thread that owns MLX alone makes and reads it

/// Logits (kRows, vocab), in steps of an eighth, so that some are equal.
mx::array trial_logits(int vocab) {
  std::vector<float> logits;
  for (int i = 0; i < kRows * vocab; ++i) {
    logits.push_back(std::floor(80 * uniform(1, static_cast<std::uint64_t>(i))) / 8);
  }
  return mx::array(logits.begin(), {kRows, vocab}, mx::float32);
}

std::vector<SamplingParams> trial_options() {
  std::vector<SamplingParams> all(4);
  for (SamplingParams& one : all) {
    one.temperature = 0.8;
  }
  all[1].top_k = 20;
  all[2].top_p = 0.6;
  all[3].min_p = 0.3;
  all[3].top_k = 100;
  return all;
}

/// What differs in one trial; empty where nothing does.
std::string fault_of(const mx::array& logits, const SamplingParams& params) {
  std::vector<float> numbers;
  for (int row = 0; row < kRows; ++row) {
    numbers.push_back(uniform(2, static_cast<std::uint64_t>(row)));
  }
  const mx::array uniforms(numbers.begin(), {kRows}, mx::float32);
  DeviceSample seen = draw_by_kernels(logits, /*negated=*/false, params, uniforms);
  mx::eval(seen.token, seen.check);
  for (int row = 0; row < kRows; ++row) {
    const mx::array one = mx::slice(logits, {row, 0}, {row + 1, logits.shape(1)});
    DeviceSample wanted = sample_on_device(one, params, mx::slice(uniforms, {row}, {row + 1}));
    const std::uint32_t drawn = seen.token.data<std::uint32_t>()[row];
    const auto token = wanted.token.item<std::uint32_t>();
    const bool sure = std::isfinite(seen.check.data<float>()[row]);
    const bool wanted_sure = std::isfinite(wanted.check.item<float>());
    if (sure != wanted_sure || (sure && drawn != token)) {
      return "they drew " + (sure ? "token " + std::to_string(drawn) : std::string("none")) +
             " of " + std::to_string(logits.shape(1)) + " where MLX's operations draw " +
             (wanted_sure ? "token " + std::to_string(token) : std::string("none"));
    }
  }
  return {};
}

/// Of the environment: CONVERGIO_MLX_GPU_KERNELS=0 leaves MLX's operations alone.
bool wanted() {
  const char* value = std::getenv("CONVERGIO_MLX_GPU_KERNELS");
  return value == nullptr || std::string_view(value) != "0";
}

}  // namespace

KernelTrial try_sampling_kernels() {
  if (!kernels::runs_kernels()) {
    return {.passed = false, .fault = "MLX computes on a CPU"};
  }
  if (!wanted()) {
    return {.passed = false, .fault = "CONVERGIO_MLX_GPU_KERNELS is 0"};
  }
  try {
    for (const int vocab : {100, 5000}) {
      for (const mx::Dtype dtype : {mx::float32, mx::float16, mx::bfloat16}) {
        const mx::array logits = mx::astype(trial_logits(vocab), dtype);
        for (const SamplingParams& params : trial_options()) {
          if (std::string fault = fault_of(logits, params); !fault.empty()) {
            return {.passed = false, .fault = std::move(fault)};
          }
        }
      }
    }
  } catch (const std::exception& error) {
    return {.passed = false, .fault = error.what()};
  }
  return {.passed = true, .fault = {}};
}

const KernelTrial& sampling_kernels() {
  if (!the_trial) {
    the_trial = try_sampling_kernels();
  }
  return *the_trial;
}

void force_trial(std::optional<KernelTrial> trial) { the_trial = std::move(trial); }

}  // namespace convergio::engine
