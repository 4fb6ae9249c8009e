#pragma once

#include <vector>

#include "kernels/ops/selective_scan.h"

namespace convergio::kernels {

/// selective_scan() in MLX's own operations.
WithStates mlx_selective_scan(const SelectiveScanRows& rows,
                              const std::vector<StatefulRows>& sequences,
                              const SelectiveScan& layer);

}  // namespace convergio::kernels
