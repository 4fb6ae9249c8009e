#include "kernels/ops/rope.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>

#include "kernels/bodies/kernel_set.h"
#include "kernels/cpu/pool.h"
#include "kernels/mlx/row_op.h"
#include "mlx/fast.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

mx::array mlx_rope(const mx::array& x, const mx::array& periods, float magnitude, int offset,
                   bool interleaved) {
  const int n = x.shape(0);
  const int heads = x.shape(1);
  const int head_dim = x.shape(2);
  const int dims = 2 * periods.shape(0);
  // fast::rope counts positions along the axis before the last
  mx::array y = mx::fast::rope(mx::reshape(mx::transpose(x, {1, 0, 2}), {1, heads, n, head_dim}),
                               dims, /*traditional=*/interleaved, /*base=*/std::nullopt,
                               /*scale=*/1.0F, offset, periods);
  y = mx::transpose(mx::reshape(y, {heads, n, head_dim}), {1, 0, 2});
  if (magnitude == 1.0F) {
    return y;
  }
  const mx::array rotated =
      mx::multiply(mx::slice(y, {0, 0, 0}, {n, heads, dims}), mx::array(magnitude, y.dtype()));
  if (dims == head_dim) {
    return rotated;
  }
  return mx::concatenate({rotated, mx::slice(y, {0, 0, dims}, {n, heads, head_dim})}, 2);
}

/// The angles of one position, as cosines and sines of `half` dimensions.
void angles(std::int64_t position, const float* periods, std::int64_t half, float magnitude,
            float* cosines, float* sines) {
  for (std::int64_t i = 0; i < half; ++i) {
    // rounded where the models' own code rounds: the frequency, then the angle
    const float angle = static_cast<float>(position) * (1.0F / periods[i]);
    cosines[i] = magnitude * std::cos(angle);
    sines[i] = magnitude * std::sin(angle);
  }
}

void rope_rows(const KernelSet& set, const Rows& x, const Rows& periods, float magnitude,
               int offset, bool interleaved, float* y) {
  const auto rotate = interleaved ? set.rope_pairs : set.rope;
  const std::int64_t half = periods.width;
  const std::int64_t grain = 4096 / (x.heads * x.width) + 1;
  parallel_ranges(x.n, 1, grain, [&](std::int64_t begin, std::int64_t end) {
    auto* cosines =
        static_cast<float*>(scratch(2 * half * static_cast<std::int64_t>(sizeof(float))));
    float* sines = cosines + half;
    for (std::int64_t i = begin; i < end; ++i) {
      angles(offset + i, periods.data, half, magnitude, cosines, sines);
      for (std::int64_t h = 0; h < x.heads; ++h) {
        rotate(x.data + i * x.row + h * x.head, cosines, sines, half, x.width,
               y + (i * x.heads + h) * x.width);
      }
    }
  });
}

}  // namespace

mx::array rope(const mx::array& x, const mx::array& periods, float magnitude, int offset,
               bool interleaved) {
  if (!own_kernels(x) || x.ndim() != 3 || periods.dtype() != mx::float32) {
    return mlx_rope(x, periods, magnitude, offset, interleaved);
  }
  return row_op("rope", std::array{x, periods},
                [&set = kernel_set(active_isa()), magnitude, offset, interleaved](
                    const std::array<Rows, 2>& in, float* y) {
                  rope_rows(set, in[0], in[1], magnitude, offset, interleaved, y);
                });
}

}  // namespace convergio::kernels
