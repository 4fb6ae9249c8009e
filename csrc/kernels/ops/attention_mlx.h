#pragma once

#include <optional>

#include "kernels/ops/attention.h"

namespace convergio::kernels {

/// attention() in MLX's own operations.
mx::array mlx_attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                        AttentionOptions options, int first_key,
                        const std::optional<mx::array>& sinks);

}  // namespace convergio::kernels
