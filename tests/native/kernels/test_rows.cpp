#include <functional>
#include <optional>
#include <string>

#include "common.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/norm.h"
#include "kernels/ops/residual.h"
#include "kernels/ops/rope.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels::testing {

namespace {

/// An op on every instruction set against the same op through MLX.
void against_mlx(const std::string& what, float tolerance, const std::function<mx::array()>& op) {
  const mx::array wanted = by_mlx(op);
  for (const Isa isa : available_isas()) {
    const With set(isa);
    check_close(op(), wanted, tolerance, std::string(isa_name(isa)) + ": " + what);
  }
}

/// Halves of the columns of one array: rows of twice the width lie between theirs.
mx::array half(const mx::array& a, int which) {
  const int width = a.shape(1) / 2;
  return mx::slice(a, {0, which * width}, {a.shape(0), (which + 1) * width});
}

}  // namespace

TEST(rms_norm_equals_mlx) {
  for (const int width : {1, 5, 16, 100, 2048}) {
    for (const int n : {1, 3, 70}) {
      const mx::array x = random({n, width}, 1);
      const mx::array weight = misaligned(random({width}, 2));
      against_mlx("rms_norm of width " + std::to_string(width), 2e-6F,
                  [&] { return rms_norm(x, weight, 1e-5F); });
    }
  }
}

TEST(rms_norm_of_each_head_of_strided_rows_equals_mlx) {
  const mx::array weight = random({24}, 2);
  const mx::array x = heads_first(mx::reshape(half(random({9, 96}, 1), 1), {9, 2, 24}));
  const mx::array apart = random({1, 2, 9, 24}, 3);
  against_mlx("rms_norm of heads", 2e-6F, [&] { return rms_norm(x, weight, 1e-6F); });
  against_mlx("rms_norm of heads apart", 2e-6F, [&] { return rms_norm(apart, weight, 1e-6F); });
}

TEST(layer_norm_equals_mlx) {
  for (const int width : {1, 5, 16, 100, 2048}) {
    for (const int n : {1, 3, 70}) {
      const mx::array x = mx::add(random({n, width}, 1), mx::array(3.0F));
      const mx::array weight = misaligned(random({width}, 2));
      const mx::array bias = misaligned(random({width}, 3));
      for (const auto& added : {std::optional<mx::array>(), std::optional(bias)}) {
        against_mlx("layer_norm of width " + std::to_string(width), 5e-6F, [&] {
          return norm(x, {.weight = weight, .bias = added, .eps = 1e-5F, .subtracts_mean = true});
        });
      }
    }
  }
}

TEST(norms_with_a_weight_for_each_head_equal_mlx) {
  const mx::array weights = random({2, 24}, 2);
  const mx::array x = heads_first(mx::reshape(half(random({9, 96}, 1), 1), {9, 2, 24}));
  for (const bool subtracts_mean : {false, true}) {
    against_mlx("norm of heads", 5e-6F, [&] {
      return norm(x, {.weight = weights, .eps = 1e-6F, .subtracts_mean = subtracts_mean});
    });
  }
}

TEST(scaled_equals_mlx) {
  const mx::array x = random({5, 17}, 1);
  against_mlx("scaled", 1e-7F, [&] { return scaled(x, 0.7F); });
}

TEST(residual_equals_mlx) {
  for (const int width : {1, 17, 96, 20000}) {
    for (const int n : {1, 5}) {
      const mx::array both = random({n, 2 * width}, 4);
      for (const float factor : {1.0F, 0.22F}) {
        against_mlx("residual of width " + std::to_string(width), 1e-7F,
                    [&] { return residual(half(both, 0), half(both, 1), factor); });
      }
    }
  }
}

TEST(residual_leaves_alone_what_others_read) {
  const mx::array x = random({3, 8}, 1);
  const mx::array branch = random({3, 8}, 2);
  const std::vector<float> before = values(x);
  const mx::array held = x;
  mx::eval(residual(x, branch, 2.0F), residual(x, x, 1.0F));
  CHECK(values(held) == before);
}

TEST(gated_activations_equal_mlx) {
  for (const Activation activation :
       {Activation::Silu, Activation::GeluTanh, Activation::Gelu, Activation::Relu}) {
    for (const int width : {1, 17, 64, 20000}) {
      for (const int n : {1, 4}) {
        // beyond where exponentials leave a float's range
        const mx::array both = mx::multiply(random({n, 2 * width}, 3), mx::array(30.0F));
        against_mlx("gated of width " + std::to_string(width), 2e-6F,
                    [&] { return gated(half(both, 0), half(both, 1), activation); });
        const mx::array small = mx::multiply(both, mx::array(0.01F));
        against_mlx("gated of small numbers", 2e-6F,
                    [&] { return gated(half(small, 0), half(small, 1), activation); });
      }
    }
  }
}

TEST(activations_without_a_gate_equal_mlx) {
  const Xielu xielu{.alpha_p = 0.8F, .alpha_n = 1.3F, .beta = 0.5F, .eps = -1e-6F};
  for (const int width : {1, 17, 64, 20000}) {
    const mx::array x = mx::multiply(half(random({3, 2 * width}, 3), 1), mx::array(30.0F));
    for (const Activation activation : {Activation::GeluTanh, Activation::Gelu, Activation::Relu,
                                        Activation::ReluSquared, Activation::Sigmoid}) {
      against_mlx("activation of width " + std::to_string(width), 2e-6F,
                  [&] { return activated(x, activation); });
    }
    against_mlx("xielu of width " + std::to_string(width), 2e-6F,
                [&] { return activated(x, xielu); });
    const mx::array small = mx::multiply(x, mx::array(0.001F));
    against_mlx("xielu of small numbers", 2e-6F, [&] { return activated(small, xielu); });
  }
}

TEST(gated_takes_the_extremes) {
  const mx::array gate({-1e30F, -100.0F, -0.0F, 100.0F, 1e30F}, {1, 5});
  const mx::array up({1.0F, 1.0F, 1.0F, 1.0F, 1.0F}, {1, 5});
  for (const Activation activation :
       {Activation::Silu, Activation::GeluTanh, Activation::Gelu, Activation::Relu}) {
    for (const Isa isa : available_isas()) {
      const With set(isa);
      const mx::array wanted({0.0F, 0.0F, 0.0F, 100.0F, 1e30F}, {1, 5});
      const std::vector<float> seen = values(gated(gate, up, activation));
      const std::vector<float> expected = values(wanted);
      for (std::size_t i = 0; i < seen.size(); ++i) {
        CHECK_EQ(seen[i], expected[i]);
      }
    }
  }
}

TEST(rope_equals_mlx) {
  for (const int half_dims : {1, 4, 16, 24, 64}) {
    for (const int rest : {0, 8}) {
      for (const int offset : {0, 5, 3000}) {
        const int head_dim = 2 * half_dims + rest;
        const mx::array x = heads_first(random({7, 3, head_dim}, 4));
        const mx::array periods =
            mx::exp(mx::multiply(mx::arange(half_dims), mx::array(9.0F / 64.0F)));
        const std::string what =
            "rope of " + std::to_string(head_dim) + " dimensions from " + std::to_string(offset);
        against_mlx(what, 4e-6F, [&] { return rope(x, periods, 1.0F, offset); });
        against_mlx(what, 4e-6F, [&] { return rope(x, periods, 1.25F, offset); });
      }
    }
  }
}

TEST(rope_takes_strided_heads) {
  const mx::array wide = random({6, 5, 32}, 4);
  const mx::array x = heads_first(mx::slice(wide, {0, 1, 0}, {6, 4, 32}));
  const mx::array periods = mx::exp(mx::arange(16.0));
  against_mlx("rope of a slice", 4e-6F, [&] { return rope(x, periods, 1.0F, 2); });
}

}  // namespace convergio::kernels::testing
