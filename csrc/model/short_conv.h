#pragma once

#include "arch/spec.h"
#include "kernels/ops/causal_conv.h"
#include "model/segments.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// The gated short convolution of one layer (LFM2).
class ShortConv {
 public:
  ShortConv(WeightLoader& weights, const arch::ShortConvSpec& spec);

  /// x is (n, hidden_size), normed; the states of layer `index` of the caches go on with its rows.
  mx::array operator()(const mx::array& x, Segments segments, int index) const;
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, const mx::array& x, Segments segments, int index) const;

 private:
  mx::array mix(const mx::array& x, Segments segments, int index) const;

  Linear in_, out_;
  kernels::CausalConv conv_;
};

}  // namespace convergio::model
