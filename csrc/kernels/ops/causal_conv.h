#pragma once

#include <optional>
#include <vector>

#include "kernels/ops/stateful_rows.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// A convolution of each channel with numbers of its own over a row and the rows before it.
struct CausalConv {
  mx::array weight;  ///< (taps, channels) float32, 2 to 64 taps; the last is a row's own
  std::optional<mx::array> bias = std::nullopt;  ///< (channels,) float32
  bool silu = false;                             ///< of the sums
};

/// The weight as an op takes it, of a checkpoint's (channels, taps), (channels, taps, 1) or
/// (channels, 1, taps). Anything else throws std::invalid_argument.
mx::array conv_weight(const mx::array& of_channels);

/// What a convolution's inputs and its results are multiplied by, (n, channels) each.
struct ConvGates {
  mx::array before;
  mx::array after;
};

/// x is (n, channels), whose rows are those of `sequences`, one sequence after another; y is too,
/// in x's dtype. A state is (taps - 1, channels): a sequence's last inputs (times
/// `gates->before`), zero before the first. On a CPU a row's result is the same to the bit
/// whichever other rows are in the pass.
WithStates causal_conv(const mx::array& x, std::vector<StatefulRows> sequences,
                       const CausalConv& conv,
                       const std::optional<ConvGates>& gates = std::nullopt);

}  // namespace convergio::kernels
