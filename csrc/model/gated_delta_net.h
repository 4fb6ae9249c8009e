#pragma once

#include <vector>

#include "arch/spec.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/gated_delta.h"
#include "kernels/ops/gated_norm.h"
#include "model/segments.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// The gated delta rule of one layer (Yang et al. 2024) over short convolutions of keys, queries
/// and values, with a gated norm behind it: Qwen3-Next and Qwen 3.5.
class GatedDeltaNet {
 public:
  GatedDeltaNet(WeightLoader& weights, const arch::ModelSpec& spec,
                const arch::GatedDeltaSpec& layer, const arch::Recurrence& sizes);

  /// x is (n, hidden_size), normed; the states of layer `index` of the caches go on with its rows.
  mx::array operator()(const mx::array& x, Segments segments, int index) const;
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, const mx::array& x, Segments segments, int index) const;

 private:
  struct Projected;
  mx::array mix(const mx::array& x, Segments segments, int index) const;
  Projected project(const mx::array& x) const;

  std::vector<Linear> in_;  ///< arch::GatedDeltaSpec::in
  Linear out_;
  kernels::CausalConv conv_;  ///< of q‖k‖v, in the order in which they are projected
  kernels::GatedDelta rule_;
  kernels::GatedNorm norm_;
  arch::Recurrence sizes_;
};

}  // namespace convergio::model
