#pragma once

#include <optional>

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// The weights of a norm and what it computes.
struct Norm {
  mx::array weight;  ///< (width,), or (heads, width): one of its own for each head
  std::optional<mx::array> bias = std::nullopt;  ///< (width,), of a layer norm alone
  float eps = 0.0F;
  bool subtracts_mean = false;  ///< layer norm (Ba et al. 2016); else RMS norm
};

/// x of (n, width) or (1, heads, n, width), each row or head of it divided by its root mean square,
/// or by its deviation from its mean, times the weight, plus the bias.
mx::array norm(const mx::array& x, const Norm& norm);

/// Root mean square normalization (Zhang and Sennrich 2019) with a weight of (width,).
mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps);

}  // namespace convergio::kernels
