#include "kernels/rope.h"

#include <cmath>
#include <utility>
#include <vector>

#include "kernels/kernel_set.h"
#include "kernels/operand.h"
#include "kernels/pool.h"
#include "kernels/primitive.h"
#include "mlx/fast.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

mx::array mlx_rope(const mx::array& x, const mx::array& periods, float magnitude, int offset) {
  const int n = x.shape(0);
  const int heads = x.shape(1);
  const int head_dim = x.shape(2);
  const int dims = 2 * periods.shape(0);
  // fast::rope counts positions along the axis before the last
  mx::array y = mx::fast::rope(mx::reshape(mx::transpose(x, {1, 0, 2}), {1, heads, n, head_dim}),
                               dims, /*traditional=*/false, /*base=*/std::nullopt,
                               /*scale=*/1.0F, offset, periods);
  y = mx::transpose(mx::reshape(y, {heads, n, head_dim}), {1, 0, 2});
  if (magnitude == 1.0F) {
    return y;
  }
  const mx::array turned =
      mx::multiply(mx::slice(y, {0, 0, 0}, {n, heads, dims}), mx::array(magnitude, y.dtype()));
  if (dims == head_dim) {
    return turned;
  }
  return mx::concatenate({turned, mx::slice(y, {0, 0, dims}, {n, heads, head_dim})}, 2);
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

}  // namespace

mx::array rope(const mx::array& x, const mx::array& periods, float magnitude, int offset) {
  if (!own_kernels(x) || x.ndim() != 3 || periods.dtype() != mx::float32) {
    return mlx_rope(x, periods, magnitude, offset);
  }
  auto prepare = [&set = kernel_set(active_isa()), magnitude, offset](
                     const std::vector<mx::array>& in, mx::array& out) -> Work {
    const Rows given = rows_of(in[0]);
    take_over(in[0], out);
    return [&set, magnitude, offset, given, periods = in[1].data<float>(),
            half = std::int64_t{in[1].shape(0)}, y = out.data<float>()] {
      std::vector<float> spare;
      const Rows r = straight(given, spare);
      const std::int64_t grain = 4096 / (r.heads * r.width) + 1;
      parallel_ranges(r.n, 1, grain, [&](std::int64_t begin, std::int64_t end) {
        auto* cosines =
            static_cast<float*>(scratch(2 * half * static_cast<std::int64_t>(sizeof(float))));
        float* sines = cosines + half;
        for (std::int64_t i = begin; i < end; ++i) {
          angles(offset + i, periods, half, magnitude, cosines, sines);
          for (std::int64_t h = 0; h < r.heads; ++h) {
            set.rope(r.data + i * r.row + h * r.head, cosines, sines, half, r.width,
                     y + (i * r.heads + h) * r.width);
          }
        }
      });
    };
  };
  return cpu_op("rope", x.shape(), mx::float32, {x, settled(periods)}, std::move(prepare));
}

}  // namespace convergio::kernels
