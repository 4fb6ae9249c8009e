#pragma once

#include <optional>
#include <vector>

#include "kernels/bodies/activation_kind.h"
#include "kernels/ops/matrix.h"

namespace convergio::kernels {

/// A matrix with its bias, ready to be multiplied by.
struct Linear {
  Matrix weight;
  std::optional<mx::array> bias;  ///< (rows,)
};

/// x · Wᵀ + bias: x is (n, cols), the result (n, rows) in x's dtype.
mx::array linear(const mx::array& x, const Linear& linear);

/// onto + x · Wᵀ + bias, `onto` (n, rows): the end of a residual branch.
mx::array linear_onto(mx::array onto, const mx::array& x, const Linear& linear);

/// The same x through each.
std::vector<mx::array> linears(const mx::array& x, const std::vector<Linear>& all);

/// activation(gate(x)) · up(x) (Shazeer 2020) of {gate, up} or of one matrix {gate‖up}.
mx::array gated_linear(const mx::array& x, const std::vector<Linear>& gate_up,
                       Activation activation);

}  // namespace convergio::kernels
