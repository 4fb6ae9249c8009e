#pragma once

#include <optional>

#include "kernels/matrix.h"

namespace convergio::kernels {

/// x · Wᵀ + bias: x is (n, cols), the result (n, rows) in x's dtype.
mx::array linear(const mx::array& x, const Matrix& weight, const std::optional<mx::array>& bias);

/// The rows of an embedding matrix: ids is (n,) int32, the result (n, cols) in `dtype`.
mx::array embedding(const mx::array& ids, const Matrix& weight, mx::Dtype dtype);

}  // namespace convergio::kernels
