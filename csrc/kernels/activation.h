#pragma once

#include "kernels/activation_kind.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// activation(gate) · up (Shazeer 2020): both (n, width), strided rows allowed.
mx::array gated(const mx::array& gate, const mx::array& up, Activation activation);

}  // namespace convergio::kernels
