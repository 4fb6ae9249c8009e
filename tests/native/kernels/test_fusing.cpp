// Elementwise chains as MLX compiles them, here by the system's C++ compiler, against the same
// chains op by op: in one shape after another, since one compiled function serves all.
#include <functional>
#include <string>
#include <vector>

#include "common.h"
#include "kernels/mlx/fast.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/residual.h"
#include "mlx/ops.h"

namespace convergio::kernels::testing {

namespace {

// Also where the compiler fails, so that no later test needs it.
struct Fusing {
  Fusing() { force_fusing(true); }
  ~Fusing() { force_fusing(false); }
};

mx::array compiled(const std::function<mx::array()>& op) {
  const Fusing fusing;
  return by_mlx(op);
}

void against_ops(const std::string& what, const std::function<mx::array()>& op) {
  const mx::array wanted = by_mlx(op);
  const mx::array seen = compiled(op);
  CHECK(seen.dtype() == wanted.dtype());
  check_close(seen, wanted, wanted.dtype() == mx::float32 ? 1e-6F : 0.01F, what);
}

}  // namespace

TEST(compiled_activations_are_those_of_the_ops) {
  for (const mx::Dtype dtype : {mx::float32, mx::float16, mx::bfloat16}) {
    for (const mx::Shape& shape : {mx::Shape{1, 40}, {3, 17}, {2, 3, 1, 8}}) {
      const mx::array x = random(shape, 1, dtype);
      const mx::array up = random(shape, 2, dtype);
      for (const Activation activation :
           {Activation::Silu, Activation::GeluTanh, Activation::Gelu, Activation::Relu,
            Activation::ReluSquared, Activation::Sigmoid}) {
        against_ops("gated", [&] { return gated(x, up, activation); });
        against_ops("activated", [&] { return activated(x, activation); });
      }
      for (const float beta : {0.5F, 0.25F}) {
        against_ops("xielu", [&] { return activated(x, {0.8F, 1.3F, beta, -1e-6F}); });
      }
      for (const float cap : {3.0F, 0.5F}) {
        against_ops("softcapped", [&] { return softcapped(x, cap); });
      }
    }
  }
}

TEST(compiled_residuals_are_those_of_the_ops) {
  for (const mx::Dtype dtype : {mx::float32, mx::bfloat16}) {
    for (const int n : {1, 5}) {
      const mx::array x = random({n, 24}, 1, dtype);
      const mx::array branch = random({n, 24}, 2, dtype);
      for (const float factor : {0.22F, 3.0F}) {
        against_ops("residual", [&] { return residual(x, branch, factor); });
      }
      against_ops("gated_residual",
                  [&] { return gated_residual(x, branch, random({n, 1}, 3, dtype)); });
    }
  }
}

}  // namespace convergio::kernels::testing
