#pragma once

#include <vector>

#include "arch/spec.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/gated_delta.h"
#include "kernels/ops/gated_norm.h"
#include "model/segments.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// The gated delta rule of one layer with a decay for each dimension of a head's keys (Kimi Team
/// 2025).
class KimiDelta {
 public:
  KimiDelta(WeightLoader& weights, const arch::ModelSpec& spec, const arch::KimiDeltaSpec& layer,
            const arch::Recurrence& sizes);

  /// x is (n, hidden_size), normed; the states of layer `index` of the caches go on with its rows.
  mx::array operator()(const mx::array& x, Segments segments, int index) const;
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, const mx::array& x, Segments segments, int index) const;

 private:
  mx::array mix(const mx::array& x, Segments segments, int index) const;

  std::vector<Linear> in_;  ///< arch::KimiDeltaSpec::in
  Linear a_, gate_, out_;
  kernels::CausalConv conv_;  ///< of q‖k‖v
  kernels::GatedDelta rule_;
  kernels::GatedNorm norm_;
  arch::Recurrence sizes_;
};

}  // namespace convergio::model
