// A device whose work fails later than it was queued, as a GPU's does: preloaded (LD_PRELOAD), this
// takes the place of MLX's async_eval. Of the calls from device_fail() on, the first `garbled` give
// other tokens than they should, as what is computed from the results of failed work does, and the
// `failing` after them throw what MLX throws for a command buffer that failed.
#include <dlfcn.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <utility>
#include <vector>

#include "mlx/array.h"
#include "mlx/transforms.h"

namespace {

std::atomic<long> garbled_left{0};
std::atomic<long> failing_left{0};
std::atomic<long> failed{0};

using AsyncEval = void (*)(std::vector<mlx::core::array>);

AsyncEval mlx_own() {
  static void* const found =
      dlsym(RTLD_NEXT, "_ZN3mlx4core10async_evalESt6vectorINS0_5arrayESaIS2_EE");
  return found == nullptr ? (std::abort(), nullptr) : reinterpret_cast<AsyncEval>(found);
}

}  // namespace

extern "C" void device_fail(long garbled, long failing) {
  failing_left = failing;
  garbled_left = garbled;
}

extern "C" long device_failed() { return failed; }

void mlx::core::async_eval(std::vector<array> outputs) {
  if (garbled_left > 0) {
    --garbled_left;
    eval(outputs);
    *outputs.front().data<std::uint32_t>() ^= 1;
    return;
  }
  if (failing_left > 0) {
    --failing_left;
    ++failed;
    throw std::runtime_error("[METAL] Command buffer execution failed: a test made it fail.");
  }
  mlx_own()(std::move(outputs));
}
