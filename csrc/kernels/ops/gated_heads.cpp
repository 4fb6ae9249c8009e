#include "kernels/ops/gated_heads.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/mlx/fast.h"
#include "kernels/mlx/row_op.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

/// log(1 + eˣ), by the form that neither overflows nor loses small values.
float softplus(float x) { return std::max(x, 0.0F) + std::log1p(std::exp(-std::fabs(x))); }

mx::array mlx_gated_heads(const mx::array& x, const mx::array& gate) {
  const int n = x.shape(0);
  const int heads = gate.shape(1);
  const mx::array y = fused(
      [](const std::vector<mx::array>& in) {
        const mx::array logits = mx::astype(in[1], mx::float32);
        const mx::array factor = mx::logaddexp(logits, mx::array(0.0F));
        return std::vector{mx::multiply(in[0], mx::astype(factor, in[0].dtype()))};
      },
      {mx::unflatten(x, 1, {heads, x.shape(1) / heads}), mx::reshape(gate, {n, heads, 1})});
  return mx::reshape(y, x.shape());
}

}  // namespace

mx::array gated_heads(mx::array x, mx::array gate) {
  if (!own_kernels(x) || gate.dtype() != mx::float32) {
    return mlx_gated_heads(x, gate);
  }
  return row_op("gated_heads", std::array{std::move(x), std::move(gate)},
                [](const std::array<Rows, 2>& in, float* y) {
                  const auto& [from, gates] = in;
                  const std::int64_t width = from.width / gates.width;
                  for (std::int64_t i = 0; i < from.n; ++i) {
                    for (std::int64_t h = 0; h < gates.width; ++h) {
                      const float factor = softplus(gates.data[i * gates.row + h]);
                      const float* head = from.data + i * from.row + h * width;
                      std::transform(head, head + width, y + i * from.width + h * width,
                                     [factor](float one) { return one * factor; });
                    }
                  }
                });
}

}  // namespace convergio::kernels
