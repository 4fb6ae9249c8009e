#include "model/short_conv.h"

#include <utility>
#include <vector>

#include "kernels/mlx/view.h"
#include "kernels/ops/linear.h"

namespace convergio::model {

ShortConv::ShortConv(WeightLoader& weights, const arch::ShortConvSpec& spec)
    : in_(weights.linear(spec.in)),
      out_(weights.linear(spec.out)),
      conv_(weights.conv(spec.conv)) {}

/// Before the projection out.
mx::array ShortConv::mix(const mx::array& x, Segments segments, int index) const {
  const int channels = conv_.weight.shape(1);
  const std::vector<mx::array> parts =
      kernels::split_columns(kernels::linear(x, in_), {channels, 2 * channels});
  return with_states(segments, index, StatePart::Inputs, [&](int from, int to, auto sequences) {
    const kernels::ConvGates gates{.before = rows_of(parts[0], from, to),
                                   .after = rows_of(parts[1], from, to)};
    return kernels::causal_conv(rows_of(parts[2], from, to), std::move(sequences), conv_, gates);
  });
}

mx::array ShortConv::operator()(const mx::array& x, Segments segments, int index) const {
  return kernels::linear(mix(x, segments, index), out_);
}

mx::array ShortConv::onto(mx::array onto, const mx::array& x, Segments segments, int index) const {
  return kernels::linear_onto(std::move(onto), mix(x, segments, index), out_);
}

}  // namespace convergio::model
