#include "kernels/ops/causal_conv.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/bodies/kernel_set.h"
#include "kernels/cpu/pool.h"
#include "kernels/mlx/fast.h"
#include "kernels/mlx/operand.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/stateful_kernel.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels {

namespace {

using Arrays = std::vector<mx::array>;

constexpr int kMostTaps = 64;

/// Σ in[2i] · in[2i + 1], and the last one where they are odd in number.
mx::array sum_of_products(const Arrays& in) {
  mx::array sum = mx::multiply(in[0], in[1]);
  for (std::size_t i = 2; i + 1 < in.size(); i += 2) {
    sum = mx::add(sum, mx::multiply(in[i], in[i + 1]));
  }
  return in.size() % 2 == 1 ? mx::add(sum, in.back()) : sum;
}

Arrays linear_sum(const Arrays& in) { return {sum_of_products(in)}; }

Arrays silu_sum(const Arrays& in) {
  const mx::array sum = sum_of_products(in);
  return {mx::multiply(sum, mx::sigmoid(sum))};
}

/// Rows x (n, channels) of one sequence, float32.
Updated convolved(const mx::array& x, const mx::array& state, const CausalConv& conv) {
  const int rows = x.shape(0);
  const int taps = conv.weight.shape(0);
  const mx::array inputs = mx::concatenate({state, x}, 0);
  Arrays terms;
  for (int tap = 0; tap < taps; ++tap) {
    terms.push_back(rows_between(inputs, tap, tap + rows));
    terms.push_back(rows_between(conv.weight, tap, tap + 1));
  }
  if (conv.bias) {
    terms.push_back(mx::expand_dims(*conv.bias, 0));
  }
  // contiguous: a view would keep all inputs
  return {fused(conv.silu ? silu_sum : linear_sum, terms),
          mx::contiguous(rows_between(inputs, rows, rows + taps - 1))};
}

WithStates mlx_causal_conv(const mx::array& x, const std::vector<StatefulRows>& sequences,
                           const CausalConv& conv, const std::optional<ConvGates>& gates) {
  const mx::array gated = gates ? mx::multiply(x, gates->before) : x;
  const mx::array inputs = mx::astype(gated, mx::float32);
  WithStates result =
      one_by_one(sequences, [&](int from, int to, const mx::array& state) -> Updated {
        return convolved(rows_between(inputs, from, to), state, conv);
      });
  result.y = mx::astype(result.y, x.dtype());
  if (gates) {
    result.y = mx::multiply(result.y, gates->after);
  }
  return result;
}

/// What stateful_op runs. A task takes some channels of all rows of a sequence, so that it alone
/// reads and writes their state.
class ConvKernel {
 public:
  ConvKernel(const KernelSet& set, const CausalConv& conv, bool gated, std::vector<int> rows)
      : set_(&set),
        taps_(conv.weight.shape(0)),
        silu_(conv.silu),
        biased_(conv.bias),
        gated_(gated),
        rows_(std::move(rows)) {}

  /// Inputs are the states, then x, the weight, the bias where there is one, and the gates before
  /// and after where there are.
  void bind(const std::vector<mx::array>& in, std::vector<mx::array>& outs) {
    sequences_ = bind_states(rows_, in, outs);
    const auto* other = in.data() + rows_.size();
    x_ = RowsOperand(*other++);
    weight_ = RowsOperand(*other++);
    if (biased_) {
      bias_ = RowsOperand(*other++);
    }
    const std::int64_t channels = x_.shape().width;
    if (gated_) {
      before_ = RowsOperand(*other++);
      after_ = RowsOperand(*other++);
      products_ = aligned_floats(x_.shape().n * channels);
    }
    allocate(outs[0]);
    y_ = outs[0].data<float>();
  }

  void run() {
    in_ = x_.read();
    taps_in_ = weight_.read();
    bias_in_ = biased_ ? bias_.read().data : nullptr;
    if (gated_) {
      multiplied_by_ = before_.read();
      results_by_ = after_.read();
    }
    const std::int64_t block = range_size(in_.width, 64, kGrain / in_.n + 1);
    const std::int64_t blocks = (in_.width + block - 1) / block;
    parallel(static_cast<std::int64_t>(sequences_.size()) * blocks, [&](std::int64_t task) {
      const std::int64_t from = task % blocks * block;
      convolve(sequences_[static_cast<std::size_t>(task / blocks)], from,
               std::min(block, in_.width - from));
    });
  }

 private:
  static constexpr std::int64_t kGrain = 8 * 1024;  ///< floats: below a second thread costs more

  /// Channels [at, at + width) of a sequence's rows, and of its state.
  void convolve(const BoundRows& rows, std::int64_t at, std::int64_t width) const {
    const Rows x = inputs(rows, at, width);
    std::array<const float*, kMostTaps> window{};
    const auto input = [&](std::int64_t i) {  // the first taps_ - 1 are the state
      return i < taps_ - 1 ? rows.before + i * in_.width + at
                           : x.data + (rows.from + i - taps_ + 1) * x.row + at;
    };
    const std::int64_t n = rows.to - rows.from;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t tap = 0; tap < taps_; ++tap) {
        window[static_cast<std::size_t>(tap)] = input(i + tap);
      }
      const std::int64_t row = rows.from + i;
      set_->causal_conv({.inputs = window.data(),
                         .taps = taps_,
                         .weight = taps_in_.data + at,
                         .weight_row = taps_in_.row,
                         .bias = biased_ ? bias_in_ + at : nullptr,
                         .after = gated_ ? results_by_.data + row * results_by_.row + at : nullptr,
                         .silu = silu_,
                         .width = width,
                         .y = y_ + row * in_.width + at});
    }
    for (std::int64_t i = 0; i < taps_ - 1; ++i) {  // in place each row comes from a later one
      const float* last = input(n + i);
      std::copy_n(last, width, rows.after + i * in_.width + at);
    }
  }

  /// x, times the gate before; of these rows and channels.
  Rows inputs(const BoundRows& rows, std::int64_t at, std::int64_t width) const {
    if (!gated_) {
      return in_;
    }
    Rows product = in_;
    product.data = products_.get();
    product.row = in_.width;
    for (std::int64_t i = rows.from; i < rows.to; ++i) {
      const float* x = in_.data + i * in_.row + at;
      const float* by = multiplied_by_.data + i * multiplied_by_.row + at;
      float* out = products_.get() + i * in_.width + at;
      for (std::int64_t c = 0; c < width; ++c) {
        out[c] = x[c] * by[c];
      }
    }
    return product;
  }

  const KernelSet* set_;
  std::int64_t taps_;
  bool silu_;
  bool biased_;
  bool gated_;
  std::vector<int> rows_;
  std::vector<BoundRows> sequences_;
  RowsOperand x_, weight_, bias_, before_, after_;
  Rows in_{}, taps_in_{}, multiplied_by_{}, results_by_{};
  const float* bias_in_ = nullptr;
  std::shared_ptr<float[]> products_;
  float* y_ = nullptr;
};

bool all_floats(const mx::array& x, const std::optional<ConvGates>& gates) {
  return x.dtype() == mx::float32 &&
         (!gates || (gates->before.dtype() == mx::float32 && gates->after.dtype() == mx::float32));
}

}  // namespace

mx::array conv_weight(const mx::array& of_channels) {
  const mx::Shape& shape = of_channels.shape();
  const bool flat = shape.size() == 2;
  const bool one_input = shape.size() == 3 && (shape[1] == 1 || shape[2] == 1);
  const int taps = flat ? shape[1] : one_input ? shape[1] * shape[2] : 0;
  if (taps < 2 || taps > kMostTaps) {
    throw std::invalid_argument("[causal_conv] the weight is " + shape_text(shape) +
                                "; it must be (channels, taps), (channels, taps, 1) or "
                                "(channels, 1, taps), of 2 to " +
                                std::to_string(kMostTaps) + " taps.");
  }
  const mx::array by_channel = mx::reshape(of_channels, {shape[0], taps});
  mx::array weight = mx::contiguous(mx::astype(mx::transpose(by_channel, {1, 0}), mx::float32));
  mx::eval(weight);
  return weight;
}

WithStates causal_conv(const mx::array& x, std::vector<StatefulRows> sequences,
                       const CausalConv& conv, const std::optional<ConvGates>& gates) {
  check_states("causal_conv", sequences, x.shape(0), {conv.weight.shape(0) - 1, x.shape(1)});
  if (!own_kernels() || !all_floats(x, gates)) {
    return mlx_causal_conv(x, sequences, conv, gates);
  }
  std::vector<mx::array> others{x, conv.weight};
  if (conv.bias) {
    others.push_back(*conv.bias);
  }
  if (gates) {
    others.push_back(gates->before);
    others.push_back(gates->after);
  }
  ConvKernel kernel(kernel_set(active_isa()), conv, gates.has_value(), rows_of_each(sequences));
  return stateful_op("causal_conv", x.shape(), std::move(sequences), std::move(others),
                     std::move(kernel));
}

}  // namespace convergio::kernels
