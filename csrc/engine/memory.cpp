#include "engine/memory.h"

#if defined(__GLIBC__)
#include <malloc.h>
#elif defined(__APPLE__)
#include <malloc/malloc.h>
#endif

#include <algorithm>
#include <mutex>
#include <string>

#include "io/error.h"
#include "kernels/mlx/mapped_arrays.h"
#include "kernels/mlx/policy.h"
#include "kernels/mlx/primitive.h"
#include "mlx/memory.h"

namespace convergio::engine {

namespace {

namespace mx = mlx::core;

std::mutex mutex;
std::optional<std::size_t> given;  ///< by set_memory_limit
std::size_t weights = 0;           ///< of all loaded models

/// What a backend's `active` counts of weights: a CPU's nothing where it maps them, Metal's the
/// buffers over mapped files and what it read, CUDA's all, which it reads.
std::size_t mapped() {
  return kernels::device_binding().kind == io::Binding::Kind::Anywhere ? weights : 0;
}

/// What is left for arrays.
void apply() {
  if (!given) {
    kernels::limit_memory(mx::get_memory_limit());
    return;
  }
  kernels::limit_memory(*given - std::min(mapped(), *given));
}

}  // namespace

Memory memory() {
  const std::scoped_lock lock(mutex);
  return {.active = mx::get_active_memory(),
          .peak = mx::get_peak_memory(),
          .cached = mx::get_cache_memory(),
          .limit = given.value_or(mx::get_memory_limit()),
          .weights = weights,
          .mapped = mapped()};
}

void set_memory_limit(std::optional<std::size_t> bytes) {
  const std::scoped_lock lock(mutex);
  given = bytes;
  apply();
}

std::size_t room_for_caches(std::size_t held) {
  const std::size_t active = mx::get_active_memory();
  const std::size_t others = active - std::min(held, active);
  const std::size_t limit = kernels::memory_limit();
  return limit - std::min(others, limit);
}

std::size_t most_for_caches() {
  const std::scoped_lock lock(mutex);
  const std::size_t limit = kernels::memory_limit();
  return limit - std::min(weights - mapped(), limit);
}

void give_back_free_memory() noexcept {
  try {
    mx::clear_cache();
  } catch (...) {  // to wait for what uses the buffers takes memory too
  }
#if defined(__GLIBC__)
  malloc_trim(0);
#elif defined(__APPLE__)
  malloc_zone_pressure_relief(nullptr, 0);
#endif
}

WeightsRoom::WeightsRoom(std::size_t bytes) : bytes_(bytes) {
  const std::scoped_lock lock(mutex);
  if (given && weights + bytes > *given) {
    throw Error(ErrorKind::OutOfMemory,
                "[engine] the model's weights take " + std::to_string(bytes) +
                    " bytes, but the memory limit of " + std::to_string(*given) + " bytes leaves " +
                    std::to_string(*given - std::min(weights, *given)) +
                    "; raise the limit, close another model, or load a smaller one.");
  }
  kernels::wire(weights + bytes);
  weights += bytes;
  apply();
}

WeightsRoom::~WeightsRoom() {
  const std::scoped_lock lock(mutex);
  weights -= bytes_;
  apply();
}

}  // namespace convergio::engine
