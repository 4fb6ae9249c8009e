#pragma once

#include "kernels/bodies/activation_kind.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// activation(gate) · up (Shazeer 2020): both (n, width), strided rows allowed.
mx::array gated(const mx::array& gate, const mx::array& up, Activation activation);

/// activation(x), x of (n, width), strided rows allowed.
mx::array activated(const mx::array& x, Activation activation);
mx::array activated(const mx::array& x, const Xielu& parameters);

/// cap · tanh(x / cap), by MLX's ops.
mx::array softcapped(const mx::array& x, float cap);

}  // namespace convergio::kernels
