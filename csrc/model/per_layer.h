#pragma once

#include <vector>

#include "arch/spec.h"
#include "kernels/ops/norm.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// What each layer gets of a token beside the hidden state: a row of a second embedding and a
/// projection of the first (Gemma 3n and 4).
class PerLayerInputs {
 public:
  PerLayerInputs(WeightLoader& weights, const arch::ModelSpec& spec);

  /// Of `ids` (n,) with the embeddings `x` (n, hidden_size): (n, size) for each layer.
  std::vector<mx::array> operator()(const mx::array& ids, const mx::array& x) const;

 private:
  kernels::Matrix embedding_;
  Linear projection_;
  kernels::Norm norm_;
  float multiplier_;  ///< of the embedding
  int layers_;
};

/// How one layer takes its part: norm(projection(gelu(gate(x)) · part)) is added to x.
class PerLayer {
 public:
  PerLayer(WeightLoader& weights, const arch::ModelSpec& spec, const arch::PerLayerSpec& layer);

  mx::array operator()(mx::array x, const mx::array& part) const;

 private:
  Linear gate_, projection_;
  kernels::Norm norm_;
};

}  // namespace convergio::model
