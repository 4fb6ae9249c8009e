#pragma once

#include <optional>

#include "arch/spec.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/gated_norm.h"
#include "kernels/ops/selective_scan.h"
#include "model/segments.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// The selective state space of one layer (Mamba-2, Dao and Gu 2024) over a short convolution, with
/// a gated norm behind it.
class Mamba2 {
 public:
  Mamba2(WeightLoader& weights, const arch::ModelSpec& spec, const arch::Mamba2Spec& layer,
         const arch::Recurrence& sizes);

  /// x is (n, hidden_size), normed; the states of layer `index` of the caches go on with its rows.
  mx::array operator()(const mx::array& x, Segments segments, int index) const;
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, const mx::array& x, Segments segments, int index) const;

 private:
  mx::array mix(const mx::array& x, Segments segments, int index) const;

  Linear in_, out_;
  std::optional<mx::array> factors_;  ///< of what in_ makes
  kernels::CausalConv conv_;          ///< of x‖b‖c
  kernels::SelectiveScan scan_;
  std::optional<kernels::GatedNorm> norm_;  ///< none: what the scan makes passes a gate alone
  arch::Recurrence sizes_;
};

}  // namespace convergio::model
