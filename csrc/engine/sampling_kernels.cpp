#include "engine/sampling_kernels.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernels/gpu/texts.h"
#include "kernels/mlx/gpu_kernel.h"
#include "mlx/ops.h"

namespace convergio::engine {

namespace {

using kernels::fast_kernel;
using kernels::GpuKernel;

constexpr int kMostGroups = 4096;  // of tokens, that one group of threads looks at
constexpr int kLeastShift = 6;
constexpr int kMostShift = 7;  // kCandidates groups are 32 tokens a thread

GpuKernel group_bests() {
  return {.name = "group_bests",
          .inputs = {"logits", "settings", "sizes"},
          .outputs = {"values", "bests", "sums"},
          .text = kernels::gpu::group_bests};
}

GpuKernel drawing(const char* name, std::string text) {
  return {.name = name,
          .inputs = {"values", "bests", "sums", "settings", "uniforms", "sizes"},
          .outputs = {"token", "check"},
          .text = std::move(text)};
}

}  // namespace

bool kernels_draw(const SamplingParams& params, int vocab) {
  return !params.greedy() && vocab > 0 && vocab <= kMostGroups << kMostShift &&
         (params.top_k <= kCandidates || params.top_k >= vocab);
}

DeviceSample draw_by_kernels(const mx::array& logits, bool negated, const SamplingParams& params,
                             const mx::array& uniforms) {
  static const GpuKernel kBests = group_bests();
  static const GpuKernel kAll = drawing("draw_from_all", kernels::gpu::draw_from_all);
  static const GpuKernel kLikeliest =
      drawing("draw_from_likeliest",
              std::string(kernels::gpu::draw_from_likeliest) + kernels::gpu::draw_from_nucleus);

  const auto rows = static_cast<int>(uniforms.size());
  const int vocab = static_cast<int>(logits.size()) / rows;
  const int shift = vocab <= kMostGroups << kLeastShift ? kLeastShift : kMostShift;
  const int groups = ((vocab - 1) >> shift) + 1;
  const bool by_top_k = params.top_k > 0 && params.top_k < vocab;
  const int count = by_top_k ? params.top_k : std::min(kCandidates, vocab);
  const bool alone = by_top_k || vocab <= kCandidates;
  std::vector<std::uint32_t> numbers;
  for (const int one : {vocab, groups, shift, rows, negated ? 1 : 0, count, alone ? 1 : 0}) {
    numbers.push_back(static_cast<std::uint32_t>(one));
  }
  const mx::array sizes(numbers.begin(), {static_cast<int>(numbers.size())}, mx::uint32);
  const mx::array settings({static_cast<float>(params.temperature),
                            static_cast<float>(params.top_p), static_cast<float>(params.min_p)});

  const std::vector<mx::array> of_groups =
      fast_kernel(kBests, {logits, settings, sizes},
                  {.groups = (rows * groups - 1) / kernels::gpu::kSimds + 1,
                   .shapes = {{rows, vocab}, {rows, groups}, {rows, groups}},
                   .dtypes = {mx::float32, mx::float32, mx::float32}});
  const std::vector<mx::array> drawn = fast_kernel(
      by_top_k || params.top_p < 1 ? kLikeliest : kAll,
      {of_groups[0], of_groups[1], of_groups[2], settings, uniforms, sizes},
      {.groups = rows, .shapes = {{rows}, {rows}}, .dtypes = {mx::uint32, mx::float32}});
  return {drawn[0], drawn[1]};
}

}  // namespace convergio::engine
