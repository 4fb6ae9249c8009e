#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/device_failures.h"
#include "engine/failure.h"
#include "engine/random.h"
#include "engine/sampler.h"
#include "engine/sampling_kernels.h"
#include "kernels/mlx/gpu_kernel.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

constexpr int kRows = 4;
constexpr int kVocab = 40000;  // more than one simdgroup's threads have

std::optional<KernelTrial> the_trial;  // the thread that owns MLX alone makes and reads it

/// kRows rows of so many, in steps of an eighth: some are equal, and 16 bits round none.
std::vector<float> trial_logits(int vocab) {
  std::vector<float> logits;
  for (int i = 0; i < kRows * vocab; ++i) {
    logits.push_back(std::floor(80 * uniform(1, static_cast<std::uint64_t>(i))) / 8);
  }
  return logits;
}

std::vector<SamplingParams> trial_options() {
  std::vector<SamplingParams> all(5);
  for (SamplingParams& one : all) {
    one.temperature = 0.8;
  }
  all[1].top_k = 20;
  all[2].top_p = 0.6;
  all[3].min_p = 0.3;
  all[4].min_p = 0.05;
  all[4].top_k = 100;
  return all;
}

/// The token that MLX's operations draw of a row at step 0; -1 where they leave it to the Sampler.
int by_operations(const std::vector<float>& row, mx::Dtype dtype, const SamplingParams& params) {
  const mx::array logits(row.begin(), {1, static_cast<int>(row.size())}, mx::float32);
  DeviceSample drawn =
      sample_on_device(mx::astype(logits, dtype), params, mx::array({uniform(params.seed, 0)}));
  return std::isfinite(drawn.check.item<float>())
             ? static_cast<int>(drawn.token.item<std::uint32_t>())
             : -1;
}

/// What differs in one trial; empty where nothing does.
std::string fault_of(int vocab, mx::Dtype dtype, SamplingParams params) {
  const std::vector<float> logits = trial_logits(vocab);
  std::vector<float> numbers;
  for (int row = 0; row < kRows; ++row) {
    numbers.push_back(uniform(static_cast<std::uint64_t>(row), 0));
  }
  DeviceSample drawn =
      draw_by_kernels(mx::astype(mx::array(logits.begin(), {kRows, vocab}, mx::float32), dtype),
                      /*negated=*/false, params, mx::array(numbers.begin(), {kRows}, mx::float32));
  mx::eval(drawn.token, drawn.check);
  for (int row = 0; row < kRows; ++row) {
    const auto begin = logits.begin() + row * vocab;
    params.seed = static_cast<std::uint64_t>(row);
    std::vector<float> copy(begin, begin + vocab);
    const int by_ops = by_operations(copy, dtype, params);
    const int wanted = Sampler(params, {}).sample(copy).token;
    const bool sure = std::isfinite(drawn.check.data<float>()[row]);
    const auto seen = static_cast<int>(drawn.token.data<std::uint32_t>()[row]);
    // sums of all may end either side of the number drawn: the two that are known may differ too
    if (!sure || (seen != wanted && seen != by_ops)) {
      return "they drew " + (sure ? "token " + std::to_string(seen) : std::string("none")) +
             " of " + std::to_string(vocab) + " in place of " + std::to_string(wanted);
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
  mx::synchronize();  // what was queued before fails as what it is
  try {
    std::string fault;
    for (const SamplingParams& params : trial_options()) {
      for (const int vocab : {100, kVocab}) {
        fault += fault.empty() ? fault_of(vocab, mx::float32, params) : "";
      }
    }
    for (const mx::Dtype dtype :
         {mx::float16, mx::bfloat16}) {  // of group_bests alone a kernel each
      fault += fault.empty() ? fault_of(kVocab, dtype, trial_options().front()) : "";
    }
    return {.passed = fault.empty(), .fault = std::move(fault)};
  } catch (const std::exception& error) {
    const Error known = classify(std::current_exception(), ErrorKind::InferenceFailed);
    if (known.kind() == ErrorKind::OutOfMemory) {
      throw known;  // which says nothing of the kernels
    }
    note_device_failure(known);
    return {.passed = false, .fault = error.what()};
  }
}

const KernelTrial& sampling_kernels() {
  if (!the_trial) {
    the_trial = try_sampling_kernels();
  }
  return *the_trial;
}

void force_trial(std::optional<KernelTrial> trial) { the_trial = std::move(trial); }

}  // namespace convergio::engine
