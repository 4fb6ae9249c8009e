#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/causal_conv.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"
#include "stateful.h"

namespace convergio::kernels::testing {

namespace {

/// A layer, its inputs, and a state before them.
struct Case {
  CausalConv conv;
  mx::array x;
  mx::array state;
  std::optional<ConvGates> gates = std::nullopt;
};

/// Channels in the middle of wider rows, as a projection's part.
mx::array part(const mx::Shape& shape, std::uint64_t seed) {
  return mx::slice(random({shape[0], shape[1] + 6}, seed), {0, 3}, {shape[0], shape[1] + 3});
}

Case made(int n, int channels, int taps, bool bias, bool gated) {
  Case one{.conv = {.weight = conv_weight(random({channels, taps}, 1)), .silu = !gated},
           .x = part({n, channels}, 2),
           .state = random({taps - 1, channels}, 3)};
  if (bias) {
    one.conv.bias = random({channels}, 4);
  }
  if (gated) {
    one.gates = ConvGates{.before = part({n, channels}, 5), .after = part({n, channels}, 6)};
  }
  return one;
}

StatefulOp op_of(const Case& one) {
  return [&one](int from, int to, std::vector<StatefulRows> sequences) {
    std::optional<ConvGates> gates;
    if (one.gates) {
      gates = ConvGates{.before = rows_between(one.gates->before, from, to),
                        .after = rows_between(one.gates->after, from, to)};
    }
    mx::array x = rows_between(one.x, from, to);
    mx::eval(x);
    if (gates) {
      mx::eval(gates->before, gates->after);
    }
    return causal_conv(x, std::move(sequences), one.conv, gates);
  };
}

/// Number by number, in double precision.
WithStates oracle(const Case& one) {
  const int n = one.x.shape(0);
  const int channels = one.x.shape(1);
  const int before = one.state.shape(0);
  std::vector<float> inputs = values(one.state);
  std::vector<float> x = values(one.x);
  if (one.gates) {
    const std::vector<float> gate = values(one.gates->before);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] *= gate[i];
    }
  }
  inputs.insert(inputs.end(), x.begin(), x.end());
  const std::vector<float> weight = values(one.conv.weight);
  std::vector<float> y;
  for (int i = 0; i < n; ++i) {
    for (int c = 0; c < channels; ++c) {
      double sum = one.conv.bias ? values(*one.conv.bias)[static_cast<std::size_t>(c)] : 0.0;
      for (int tap = 0; tap <= before; ++tap) {
        sum += static_cast<double>(inputs[static_cast<std::size_t>((i + tap) * channels + c)]) *
               weight[static_cast<std::size_t>(tap * channels + c)];
      }
      y.push_back(static_cast<float>(one.conv.silu ? sum / (1.0 + std::exp(-sum)) : sum));
    }
  }
  if (one.gates) {
    const std::vector<float> gate = values(one.gates->after);
    for (std::size_t i = 0; i < y.size(); ++i) {
      y[i] *= gate[i];
    }
  }
  const std::vector<float> last(inputs.end() - before * channels, inputs.end());
  return {mx::array(y.begin(), {n, channels}), {mx::array(last.begin(), {before, channels})}};
}

}  // namespace

TEST(causal_conv_equals_its_oracle) {
  for (int taps = 2; taps <= 8; ++taps) {
    for (const int channels : {1, 19, 64}) {
      for (const int n : {1, 2, 9}) {
        for (const bool bias : {false, true}) {
          const Case one = made(n, channels, taps, bias, /*gated=*/bias == (taps % 2 == 0));
          check_oracle(op_of(one), n, one.state, oracle(one), 3e-6F,
                       std::to_string(taps) + " taps, " + std::to_string(channels) + " channels");
        }
      }
    }
  }
}

TEST(causal_conv_of_many_channels_and_rows_equals_its_oracle) {
  const Case one = made(70, 5000, 4, /*bias=*/true, /*gated=*/false);
  check_oracle(op_of(one), 70, one.state, oracle(one), 3e-6F, "5000 channels");
}

TEST(causal_conv_gives_the_same_bits_however_rows_are_passed) {
  for (const int taps : {2, 4, 8}) {
    for (const int n : {2, 9, 40}) {
      const Case one = made(n, 150, taps, taps == 4, /*gated=*/taps == 2);
      check_same_bits(op_of(one), n, one.state, std::to_string(taps) + " taps");
    }
  }
}

TEST(causal_conv_takes_the_weights_of_both_conversions) {
  const mx::array weight = random({6, 4}, 1, mx::bfloat16);
  const mx::array wanted = mx::transpose(mx::astype(weight, mx::float32), {1, 0});
  for (const mx::Shape& shape : {mx::Shape{6, 4}, {6, 4, 1}, {6, 1, 4}}) {
    check_close(conv_weight(mx::reshape(weight, shape)), wanted, 0.0F, "the weight");
  }
}

/// What `run` throws.
template <class Error, class F>
std::string thrown(const F& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(causal_conv_says_what_does_not_fit) {
  for (const mx::Shape& shape : {mx::Shape{6}, {6, 1}, {6, 65}, {6, 2, 2}}) {
    CHECK_EQ(thrown<std::invalid_argument>([&] { conv_weight(mx::zeros(shape)); }),
             "[causal_conv] the weight is " + shape_text(shape) +
                 "; it must be (channels, taps), (channels, taps, 1) or (channels, 1, taps), of 2 "
                 "to 64 taps.");
  }
  const Case one = made(5, 8, 4, /*bias=*/false, /*gated=*/false);
  const auto with = [&](int rows, const mx::array& state) {
    return thrown<std::logic_error>([&] { causal_conv(one.x, {{rows, state}}, one.conv); });
  };
  CHECK_EQ(with(4, one.state),
           "[causal_conv] the sequences have 4 rows, the pass 5; pass as many.");
  CHECK_EQ(with(0, one.state), "[causal_conv] a sequence has 0 rows; leave out those without any.");
  CHECK_EQ(with(5, mx::zeros({8, 3})), "[causal_conv] a state is (8, 3); pass (3, 8) of float32.");
  CHECK_EQ(with(5, mx::zeros({3, 8}, mx::float16)),
           "[causal_conv] a state is (3, 8); pass (3, 8) of float32.");
}

TEST(causal_conv_in_half_precision_keeps_its_state_in_float32) {
  Case one = made(5, 33, 4, /*bias=*/true, /*gated=*/true);
  for (const mx::Dtype dtype : {mx::float16, mx::bfloat16}) {
    const auto half = [&](const mx::array& a) { return mx::astype(a, dtype); };
    Case halves = one;
    halves.x = half(one.x);
    halves.gates = ConvGates{.before = half(one.gates->before), .after = half(one.gates->after)};
    const WithStates seen = op_of(halves)(0, 5, {{5, halves.state}});
    const WithStates wanted = oracle(halves);
    CHECK(seen.y.dtype() == dtype);
    CHECK(seen.states[0].dtype() == mx::float32);
    check_close(seen.y, wanted.y, 2e-2F, "y");
    check_close(seen.states[0], wanted.states[0], 2e-2F, "the state");
  }
}

}  // namespace convergio::kernels::testing
