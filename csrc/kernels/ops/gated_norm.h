#pragma once

#include "kernels/bodies/activation_kind.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// An RMS norm of groups of numbers, and a gate.
struct GatedNorm {
  mx::array weight;  ///< (group,), the same for all groups, or (width,), float32
  float eps;
  int group;                                 ///< numbers that are normed together
  Activation activation = Activation::Silu;  ///< of the gate: Silu or Sigmoid
  bool gate_first = false;                   ///< norm(x · activation(gate)), else norm(x) · it
};

/// x and gate are (n, width), where the width is a multiple of the group.
mx::array gated_norm(const mx::array& x, const mx::array& gate, const GatedNorm& norm);

}  // namespace convergio::kernels
