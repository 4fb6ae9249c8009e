#pragma once

#include <optional>
#include <vector>

#include "kernels/kernel_set.h"
#include "kernels/operand.h"

namespace convergio::kernels {

/// What run_linear computes: x · Wᵀ + bias of matrices that are alike (format, group, inputs),
/// their outputs side by side in a row of y; or, with `gate`, activation(first) · second of two.
struct LinearCall {
  struct Part {
    Weights weights;
    const std::uint8_t* bias;  ///< null, or a float32 for each output, at any address
  };
  std::vector<Part> matrices;
  Rows x;
  float* y;
  std::optional<Rows> onto;  ///< (n, width): added; its memory may be y's
  std::optional<Activation> gate;
};

/// Over the pool. `digits` is null where activations stay float32.
void run_linear(const KernelSet& set, const DigitSet* digits, const LinearCall& call);

}  // namespace convergio::kernels
