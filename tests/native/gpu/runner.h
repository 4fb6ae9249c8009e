#pragma once

#include <vector>

#include "kernels/mlx/gpu_kernel.h"
#include "mlx/array.h"

namespace twin {

/// Runs a kernel at once by its text as C++ (twin.h): kernels::force_runner takes it.
std::vector<mlx::core::array> run(const convergio::kernels::GpuKernel& kernel,
                                  const std::vector<mlx::core::array>& inputs,
                                  const convergio::kernels::GpuRun& run);

}  // namespace twin
