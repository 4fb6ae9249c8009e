#pragma once

#include "kernels/ops/matrix.h"

namespace convergio::kernels {

/// The rows of an embedding matrix times `multiplier`: ids is (n,) int32, the result (n, cols) in
/// `dtype`.
mx::array embedding(const mx::array& ids, const Matrix& weight, mx::Dtype dtype,
                    float multiplier = 1.0F);

}  // namespace convergio::kernels
