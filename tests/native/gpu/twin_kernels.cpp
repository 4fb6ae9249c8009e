// The texts of csrc/kernels/gpu as C++.
#include <bit>
#include <cmath>
#include <limits>

#include "gpu/twin.h"
#include "mlx/types/half_types.h"

#define GPU_SHARED static
#define GPU_INFINITY std::numeric_limits<float>::infinity()
#define GPU_BARRIER() static_cast<void>(co_await twin::barrier(gpu, thread_id, __LINE__))
#define GPU_SUM(x) (co_await twin::sum(gpu, thread_id, x, __LINE__))
#define GPU_MAX(x) (co_await twin::highest(gpu, thread_id, x, __LINE__))
#define GPU_SUM_BEFORE(x) (co_await twin::sum_before(gpu, thread_id, x, __LINE__))
#define GPU_EXP(x) std::exp(x)
#define GPU_ROLLED
#define GPU_BITS(x) std::bit_cast<std::uint32_t>(x)

#include "kernels/gpu/shared.inl.h"

namespace twin {

using uint = std::uint32_t;
static_assert(GPU_THREADS == kThreads && GPU_LANES == kLanes);

template <typename T>
void group_bests(const T* logits, const float* settings, const uint* sizes, float* values,
                 float* bests, float* sums, std::uint64_t seed) {
  const auto body = [&](Group& gpu, uint group_id, uint thread_id) -> Fiber {
    const uint lane_id = thread_id % kLanes;
    const uint simd_id = thread_id / kLanes;
#include "kernels/gpu/group_bests.inl.h"
  };
  const uint count = (sizes[3] * sizes[1] + GPU_SIMDS - 1) / GPU_SIMDS;
  Group gpu(seed);
  for (uint id = 0; id < count; ++id) {
    gpu.run([&](uint thread) { return body(gpu, id, thread); });
  }
}

using Half = mlx::core::float16_t;
using Brain = mlx::core::bfloat16_t;
template void group_bests<float>(const float*, const float*, const uint*, float*, float*, float*,
                                 std::uint64_t);
template void group_bests<Half>(const Half*, const float*, const uint*, float*, float*, float*,
                                std::uint64_t);
template void group_bests<Brain>(const Brain*, const float*, const uint*, float*, float*, float*,
                                 std::uint64_t);

void draw_from_all(const float* values, const float* bests, const float* sums,
                   const float* settings, const float* uniforms, const uint* sizes, uint* token,
                   float* check, std::uint64_t seed) {
  const auto body = [&](Group& gpu, uint group_id, uint thread_id) -> Fiber {
    const uint lane_id = thread_id % kLanes;
    const uint simd_id = thread_id / kLanes;
#include "kernels/gpu/draw_from_all.inl.h"
  };
  Group gpu(seed);
  for (uint row = 0; row < sizes[3]; ++row) {
    gpu.run([&](uint thread) { return body(gpu, row, thread); });
  }
}

void draw_from_likeliest(const float* values, const float* bests, const float* sums,
                         const float* settings, const float* uniforms, const uint* sizes,
                         uint* token, float* check, std::uint64_t seed) {
  const auto body = [&](Group& gpu, uint group_id, uint thread_id) -> Fiber {
    const uint lane_id = thread_id % kLanes;
    const uint simd_id = thread_id / kLanes;
#include "kernels/gpu/draw_from_likeliest.inl.h"
#include "kernels/gpu/draw_from_nucleus.inl.h"
  };
  Group gpu(seed);
  for (uint row = 0; row < sizes[3]; ++row) {
    gpu.run([&](uint thread) { return body(gpu, row, thread); });
  }
}

}  // namespace twin
