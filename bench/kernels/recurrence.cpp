// What the ops with a state take: microseconds per token of one layer for the geometries of models,
// one row and 512 rows, on each instruction set; and the speed at which one row's state is read and
// written, beside the speed at which the same threads read memory. Medians.
//   recurrence [rounds] [layers]
// Each layer has a state of its own: with many, one row's comes from memory as in a decode step.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common.h"
#include "kernels/mlx/primitive.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/gated_delta.h"
#include "kernels/ops/selective_scan.h"
#include "mlx/transforms.h"

namespace {

using namespace convergio::kernels;
using namespace convergio::kernels::bench;

/// An op over n rows of one sequence.
struct Op {
  std::string name;
  mx::Shape state;
  std::function<std::function<WithStates(StatefulRows)>(int n)> over;
};

mx::array rows(int n, int width, std::uint64_t seed) {
  return noise({n, width}, mx::float32, seed);
}

Op delta(const char* name, int k_heads, int v_heads, int d, bool by_dimension) {
  const int decays = v_heads * (by_dimension ? d : 1);
  const GatedDelta layer{.k_heads = k_heads,
                         .v_heads = v_heads,
                         .a_log = rows(1, v_heads, 1),
                         .dt_bias = rows(1, decays, 2)};
  return {name, {v_heads, d, d}, [=](int n) {
            const GatedDeltaRows in{.q = rows(n, k_heads * d, 3),
                                    .k = rows(n, k_heads * d, 4),
                                    .v = rows(n, v_heads * d, 5),
                                    .a = rows(n, decays, 6),
                                    .b = rows(n, v_heads, 7)};
            return [=](StatefulRows one) {
              std::vector<StatefulRows> sequences;
              sequences.push_back(std::move(one));
              return gated_delta(in, std::move(sequences), layer);
            };
          }};
}

Op scan(const char* name, int heads, int head_dim, int groups, int state_dim) {
  const SelectiveScan layer{.heads = heads,
                            .groups = groups,
                            .a_log = rows(1, heads, 1),
                            .dt_bias = rows(1, heads, 2),
                            .d = rows(1, heads, 3)};
  return {name, {heads, head_dim, state_dim}, [=](int n) {
            const SelectiveScanRows in{.x = rows(n, heads * head_dim, 4),
                                       .b = rows(n, groups * state_dim, 5),
                                       .c = rows(n, groups * state_dim, 6),
                                       .dt = rows(n, heads, 7)};
            return [=](StatefulRows one) {
              std::vector<StatefulRows> sequences;
              sequences.push_back(std::move(one));
              return selective_scan(in, std::move(sequences), layer);
            };
          }};
}

Op conv(const char* name, int channels, int taps, bool gated) {
  const CausalConv layer{.weight = rows(taps, channels, 1), .silu = !gated};
  return {name, {taps - 1, channels}, [=](int n) {
            const mx::array x = rows(n, channels, 2);
            const std::optional<ConvGates> gates =
                gated ? std::optional(ConvGates{rows(n, channels, 3), rows(n, channels, 4)})
                      : std::nullopt;
            return [=](StatefulRows one) {
              std::vector<StatefulRows> sequences;
              sequences.push_back(std::move(one));
              return causal_conv(x, std::move(sequences), layer, gates);
            };
          }};
}

/// Seconds a layer, each of them with a state of its own, updated in place.
double seconds_a_layer(const Op& op, int n, int layers, int rounds) {
  std::vector<mx::array> states;
  for (int i = 0; i < layers; ++i) {
    states.push_back(noise(op.state, mx::float32, 9));
  }
  const auto update = op.over(n);
  std::vector<double> times;
  for (int round = 0; round <= rounds; ++round) {
    const double time = seconds([&] {
      const Eager eager;
      for (mx::array& state : states) {
        StatefulRows one{n, std::move(state)};
        state = update(std::move(one)).states[0];
      }
    });
    if (round > 0) {
      times.push_back(time / layers);
    }
  }
  return median(times);
}

double read_gigabytes() {
  const mx::array memory = noise({64 * 1024 * 1024}, mx::float32, 1);
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) {
    times.push_back(seconds([&] { read_all(memory.data<float>(), memory.nbytes()); }));
  }
  return 1e-9 * static_cast<double>(memory.nbytes()) / median(times);
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::max(1, std::atoi(argv[i])) : otherwise;
  };
  const int rounds = number(1, 7);
  const int layers = number(2, 24);
  constexpr int kRows = 512;
  const std::vector<Op> ops{
      delta("gated delta, Qwen3.5-4B", 16, 32, 128, false),
      delta("gated delta by dimension, Kimi Linear", 32, 32, 128, true),
      scan("selective scan, Granite 4 tiny", 48, 64, 1, 128),
      scan("selective scan, Nemotron 3 nano", 64, 64, 8, 128),
      conv("convolution, Qwen3.5-4B", 8192, 4, false),
      conv("convolution, LFM2.5-1.2B", 2048, 3, true),
  };
  std::printf("%d threads, %d layers; memory is read at %.1f GB/s\n", thread_count(), layers,
              read_gigabytes());
  for (const Op& op : ops) {
    std::printf("%s\n", op.name.c_str());
    for (const Way& way : all_ways()) {
      if (!way.exact) {
        continue;  // nothing of these is rounded
      }
      choose(way);
      const double one = seconds_a_layer(op, 1, layers, rounds);
      const double many = seconds_a_layer(op, kRows, 1, rounds) / kRows;
      double bytes = sizeof(float);
      for (const int size : op.state) {
        bytes *= size;
      }
      std::printf("  %-7s 1 row %8.2f us, state %6.2f GB/s read and written   %d rows %7.2f us\n",
                  way.name.c_str(), 1e6 * one, 1e-9 * 2 * bytes / one, kRows, 1e6 * many);
    }
  }
}
