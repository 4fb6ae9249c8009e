#pragma once

#include <memory>
#include <vector>

#include "kernels/ops/experts.h"
#include "kernels/ops/product.h"

namespace convergio::kernels {

/// The experts of a layer as the kernels read them: where each has its matrices.
struct ExpertTable {
  /// One for each expert. No up: gate has both in turns, or is what others call up.
  std::vector<BoundLinear> gate, up, down;
  ExpertWeights weights;  ///< what the pointers are into
};

/// Of experts that the kernels read and where gate and up are alike; else null.
std::shared_ptr<const ExpertTable> expert_table(const ExpertWeights& weights,
                                                const formats::Experts& config);

}  // namespace convergio::kernels
