#pragma once

#include <string>
#include <vector>

#include "mlx/array.h"
#include "mlx/dtype.h"

// Kernels of our own for GPUs. As with fast.h, tests put one primitive in the place of each run.
namespace convergio::kernels {

namespace mx = mlx::core;

/// A kernel of our own, whose text (kernels/gpu) a GPU's compiler gets when it is first run.
struct GpuKernel {
  std::string name;
  std::vector<std::string> inputs;  ///< the names that the text has for them
  std::vector<std::string> outputs;
  std::string text;
};

/// What one run of a kernel makes, by so many groups of gpu::kThreads threads.
struct GpuRun {
  int groups;
  std::vector<mx::Shape> shapes;
  std::vector<mx::Dtype> dtypes;
};

/// Its outputs. What the compiler says against the text is thrown where they are evaluated.
std::vector<mx::array> fast_kernel(const GpuKernel& kernel, const std::vector<mx::array>& inputs,
                                   const GpuRun& run);

/// For tests: kernels are run by such a function, on a GPU again where it is nullptr.
using GpuRunner = std::vector<mx::array> (*)(const GpuKernel& kernel,
                                             const std::vector<mx::array>& inputs,
                                             const GpuRun& run);
void force_runner(GpuRunner runner);

/// Whether there is something that runs kernels.
bool runs_kernels();

}  // namespace convergio::kernels
