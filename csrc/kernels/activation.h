#pragma once

#include <cstdint>

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// The activation of a feed-forward layer (config.json "hidden_act").
enum class Activation : std::uint8_t { Silu, GeluTanh, Gelu, Relu };

/// activation(gate) · up (Shazeer 2020): both (n, width), strided rows allowed.
mx::array gated(const mx::array& gate, const mx::array& up, Activation activation);

}  // namespace convergio::kernels
