#pragma once

#include <cstdint>

namespace convergio::kernels {

/// The activation of a feed-forward layer (config.json "hidden_act").
enum class Activation : std::uint8_t { Silu, GeluTanh, Gelu, Relu, ReluSquared, Sigmoid };

/// x > 0: alpha_p · x² + beta · x; else alpha_n · (eˣ - 1 - x) + beta · x, with e to the power of
/// `eps` where x is above it (xIELU: Huang and Schlag 2024).
struct Xielu {
  float alpha_p = 0.0F;
  float alpha_n = 0.0F;
  float beta = 0.0F;
  float eps = 0.0F;
};

}  // namespace convergio::kernels
