#include "kernels/ops/norm.h"

#include <array>
#include <cstdint>

#include "kernels/bodies/kernel_set.h"
#include "kernels/cpu/pool.h"
#include "kernels/mlx/fast.h"
#include "kernels/mlx/row_op.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

constexpr std::int64_t kGrain = 16 * 1024;  // floats: below that a second thread costs more

/// Each row, or head of one: body(x, its head's weight, y).
template <typename Body>
void for_heads(const Rows& x, const Rows& weight, float* y, const Body& body) {
  parallel_ranges(x.n * x.heads, 1, kGrain / x.width + 1,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const std::int64_t head = i % x.heads;
                      body(x.data + i / x.heads * x.row + head * x.head,
                           weight.data + (weight.n > 1 ? head * weight.row : 0),
                           y + (head * x.n + i / x.heads) * x.width);
                    }
                  });
}

mx::array mlx_norm(const mx::array& x, const Norm& norm) {
  const bool one_weight = norm.weight.ndim() == 1;
  const std::optional<mx::array> weight = one_weight ? std::optional(norm.weight) : std::nullopt;
  mx::array y = norm.subtracts_mean ? fast_layer_norm(x, weight, norm.bias, norm.eps)
                                    : fast_rms_norm(x, weight, norm.eps);
  return one_weight ? y : mx::multiply(y, mx::expand_dims(norm.weight, 1));
}

}  // namespace

mx::array norm(const mx::array& x, const Norm& norm) {
  if (!own_kernels(x) || (x.ndim() != 2 && x.ndim() != 4) || norm.weight.dtype() != mx::float32) {
    return mlx_norm(x, norm);
  }
  const KernelSet& set = kernel_set(active_isa());
  const float eps = norm.eps;
  if (!norm.subtracts_mean) {
    return row_op("rms_norm", std::array{x, norm.weight},
                  [&set, eps](const std::array<Rows, 2>& in, float* y) {
                    for_heads(in[0], in[1], y,
                              [&](const float* row, const float* weight, float* out) {
                                set.rms_norm(row, weight, eps, in[0].width, out);
                              });
                  });
  }
  if (!norm.bias) {
    return row_op("layer_norm", std::array{x, norm.weight},
                  [&set, eps](const std::array<Rows, 2>& in, float* y) {
                    for_heads(in[0], in[1], y,
                              [&](const float* row, const float* weight, float* out) {
                                set.layer_norm(row, weight, nullptr, eps, in[0].width, out);
                              });
                  });
  }
  return row_op("layer_norm", std::array{x, norm.weight, *norm.bias},
                [&set, eps](const std::array<Rows, 3>& in, float* y) {
                  for_heads(in[0], in[1], y,
                            [&](const float* row, const float* weight, float* out) {
                              set.layer_norm(row, weight, in[2].data, eps, in[0].width, out);
                            });
                });
}

mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps) {
  return norm(x, {.weight = weight, .eps = eps});
}

}  // namespace convergio::kernels
