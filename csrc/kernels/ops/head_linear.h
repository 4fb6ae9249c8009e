#pragma once

#include <memory>
#include <optional>

#include "kernels/ops/matrix.h"

namespace convergio::kernels {

/// A matrix of `weight.rows` outputs for each head. The arrays of `weight` hold the heads' blocks
/// one after another, with or without an axis of heads, each of `block` rows, of which a head's
/// matrix is those from `first` on.
struct HeadMatrices {
  Matrix weight;
  int heads = 0;
  int block = 0;
  int first = 0;
};

struct HeadTable;

/// Each head through a matrix of its own: y[h] = W[h] · x[h].
class HeadLinear {
 public:
  explicit HeadLinear(HeadMatrices matrices);

  /// x is (1, heads, n, cols); the result (n, heads · (rows + tail)) in x's dtype: what a head's
  /// matrix makes of it, then its row of `tail`, (1, heads, n, tail), where that is given.
  mx::array operator()(const mx::array& x, const std::optional<mx::array>& tail = {}) const;

 private:
  HeadMatrices matrices_;                   ///< where MLX's ops compute: (heads, rows, …)
  std::shared_ptr<const HeadTable> table_;  ///< where our kernels do
};

/// The matrices that do what these do backwards: W[h]ᵀ, (cols, rows) each, as floats of `dtype`.
HeadMatrices transposed(const HeadMatrices& matrices, mx::Dtype dtype);

}  // namespace convergio::kernels
