#pragma once

#include <vector>

#include "kernels/ops/gated_delta.h"

namespace convergio::kernels {

/// gated_delta() in MLX's own operations.
WithStates mlx_gated_delta(const GatedDeltaRows& rows, const std::vector<StatefulRows>& sequences,
                           const GatedDelta& layer);

}  // namespace convergio::kernels
