#pragma once

#include <cstdint>

namespace convergio::kernels {

/// The activation of a feed-forward layer (config.json "hidden_act").
enum class Activation : std::uint8_t { Silu, GeluTanh, Gelu, Relu };

}  // namespace convergio::kernels
