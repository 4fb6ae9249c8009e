#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common.h"
#include "kernels/cpu/precision.h"
#include "kernels/ops/linear.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels::testing {

namespace {

constexpr int kCols = 1152;  // past a block of the kernel of many rows, and a part of one

using Op = std::function<mx::array()>;

/// `op` on every instruction set against MLX's ops, with activations in float32 and rounded.
void against_mlx(const std::string& what, int n, float size, const Op& op) {
  const mx::array wanted = by_mlx(op);
  for (const Isa isa : available_isas()) {
    const With set(isa);
    for (const bool all_float : {true, false}) {
      force_exact(all_float);
      check_close(op(), wanted, all_float ? 5e-6F : 1e-4F,
                  std::string(isa_name(isa)) + (all_float ? ", exact: " : ": ") + what + " of " +
                      std::to_string(n) + " rows",
                  size);
    }
  }
}

Linear four_bits(int rows, std::uint64_t seed, bool bias = false) {
  Linear l{quantized(rows, kCols, Format::Affine, 64, 4, mx::bfloat16, seed), std::nullopt};
  if (bias) {
    l.bias = random({rows}, seed + 1);
  }
  return l;
}

float typical() { return std::sqrt(static_cast<float>(kCols)); }

}  // namespace

TEST(linears_equal_each_alone) {
  const std::vector<Linear> alike{four_bits(70, 1, true), four_bits(33, 2), four_bits(1, 3, true)};
  std::vector<Linear> mixed = alike;
  mixed[1].weight = dense(33, kCols, mx::float16, 2);
  for (const auto& all : {alike, mixed}) {
    for (const int n : {1, 4, 8, 9, 40, 600}) {
      const mx::array x = random({n, kCols}, 5);
      against_mlx("linears", n, typical(), [&] { return mx::concatenate(linears(x, all), 1); });
    }
  }
}

TEST(linear_onto_adds_to_what_is_given) {
  const Linear l = four_bits(300, 1, true);
  for (const int n : {1, 3, 9, 40, 600}) {
    const mx::array x = random({n, kCols}, 5);
    const mx::array wide = random({n, 320}, 6);
    const mx::array kept = mx::slice(wide, {0, 3}, {n, 303});
    against_mlx("linear_onto", n, typical(), [&] { return linear_onto(kept, x, l); });
    // one that nobody else holds is written over
    against_mlx("linear_onto", n, typical(),
                [&] { return linear_onto(mx::add(kept, mx::array(1.0F)), x, l); });
  }
}

TEST(gated_linear_equals_its_parts) {
  const std::vector<Linear> two{four_bits(200, 1, true), four_bits(200, 3, true)};
  const std::vector<Linear> fused{four_bits(400, 7, true)};
  for (const auto& gate_up : {two, fused}) {
    for (const int n : {1, 3, 9, 40, 600}) {
      const mx::array x = mx::multiply(random({n, kCols}, 5), mx::array(0.03F));
      for (const Activation activation :
           {Activation::Silu, Activation::GeluTanh, Activation::Gelu, Activation::Relu}) {
        against_mlx("gated_linear", n, 1.0F, [&] { return gated_linear(x, gate_up, activation); });
      }
    }
  }
}

TEST(gated_linear_takes_halves_of_every_kind) {
  const std::vector<Matrix> all{
      dense(66, kCols, mx::float32, 1),
      dense(66, kCols, mx::bfloat16, 1),
      quantized(66, kCols, Format::Affine, 32, 3, mx::float32, 2),
      quantized(66, kCols, Format::Affine, 128, 8, mx::float16, 2),
      quantized(66, kCols, Format::Mxfp4, 32, 4, mx::float32, 2),
      quantized(66, kCols, Format::Mxfp8, 32, 8, mx::float32, 2),
      quantized(66, kCols, Format::Nvfp4, 16, 4, mx::float32, 2),
  };
  for (const Matrix& m : all) {
    for (const int n : {1, 20}) {
      const mx::array x = mx::multiply(random({n, kCols}, 5), mx::array(0.03F));
      against_mlx(mode_name(m.format) + " gated_linear", n, 1.0F,
                  [&] { return gated_linear(x, {{m, std::nullopt}}, Activation::Silu); });
    }
  }
}

}  // namespace convergio::kernels::testing
