#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "common.h"
#include "kernels/ops/gated_norm.h"
#include "mlx/ops.h"

namespace convergio::kernels::testing {

namespace {

/// Number by number, in double precision.
mx::array oracle(const mx::array& x, const mx::array& gate, const GatedNorm& norm) {
  const std::vector<float> in = values(x);
  const std::vector<float> gates = values(gate);
  const std::vector<float> weight = values(norm.weight);
  const auto group = static_cast<std::size_t>(norm.group);
  const auto width = static_cast<std::size_t>(x.shape(1));
  const auto activated = [&](std::size_t i) {
    const double g = gates[i];
    return (norm.activation == Activation::Silu ? g : 1.0) / (1.0 + std::exp(-g));
  };
  std::vector<float> y;
  for (std::size_t from = 0; from < in.size(); from += group) {
    double squares = 0.0;
    for (std::size_t i = from; i < from + group; ++i) {
      const double input = in[i] * (norm.gate_first ? activated(i) : 1.0);
      squares += input * input;
    }
    const double scale = 1.0 / std::sqrt(squares / static_cast<double>(group) + norm.eps);
    for (std::size_t i = from; i < from + group; ++i) {
      const std::size_t at = i % width;
      y.push_back(static_cast<float>(in[i] * activated(i) * scale *
                                     weight[weight.size() == group ? at % group : at]));
    }
  }
  return mx::array(y.begin(), x.shape());
}

/// Columns in the middle of wider rows.
mx::array part(int n, int width, std::uint64_t seed) {
  return mx::slice(random({n, width + 5}, seed), {0, 2}, {n, width + 2});
}

}  // namespace

TEST(gated_norm_equals_its_oracle) {
  for (const int group : {1, 7, 64, 130}) {
    for (const int groups : {1, 3}) {
      for (const int n : {1, 4, 90}) {
        for (const bool gate_first : {false, true}) {
          const int width = group * groups;
          const mx::array x = part(n, width, 1);
          const mx::array gate = mx::multiply(part(n, width, 2), mx::array(4.0F));
          for (const Activation activation : {Activation::Silu, Activation::Sigmoid}) {
            for (const int weights : {group, width}) {
              const GatedNorm norm{.weight = random({weights}, 3),
                                   .eps = 1e-5F,
                                   .group = group,
                                   .activation = activation,
                                   .gate_first = gate_first};
              std::vector<Isa> sets = available_isas();
              sets.push_back(Isa::Off);
              for (const Isa isa : sets) {
                const With set(isa);
                check_close(gated_norm(x, gate, norm), oracle(x, gate, norm), 3e-6F,
                            std::string(isa_name(isa)) + ": " + std::to_string(groups) +
                                " groups of " + std::to_string(group));
              }
            }
          }
        }
      }
    }
  }
}

TEST(gated_norm_in_half_precision_equals_its_oracle) {
  const mx::array x = random({3, 48}, 1, mx::bfloat16);
  const mx::array gate = random({3, 48}, 2, mx::bfloat16);
  for (const bool gate_first : {false, true}) {
    const GatedNorm norm{
        .weight = random({16}, 3), .eps = 1e-6F, .group = 16, .gate_first = gate_first};
    const mx::array seen = gated_norm(x, gate, norm);
    CHECK(seen.dtype() == mx::bfloat16);
    check_close(seen, oracle(x, gate, norm), 1e-2F, "bfloat16");
  }
}

}  // namespace convergio::kernels::testing
