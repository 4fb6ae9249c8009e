#include "kernels/norm.h"

#include <utility>
#include <vector>

#include "kernels/kernel_set.h"
#include "kernels/operand.h"
#include "kernels/pool.h"
#include "kernels/primitive.h"
#include "mlx/fast.h"

namespace convergio::kernels {

namespace {

constexpr std::int64_t kGrain = 16 * 1024;  // floats: below that a second thread costs more

}  // namespace

mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps) {
  if (!own_kernels(x) || x.ndim() < 2 || x.ndim() > 3 || weight.dtype() != mx::float32) {
    return mx::fast::rms_norm(x, weight, eps);
  }
  auto prepare = [&set = kernel_set(active_isa()), eps](const std::vector<mx::array>& in,
                                                        mx::array& out) -> Work {
    const Rows given = rows_of(in[0]);
    take_over(in[0], out);
    return [&set, eps, given, weight = in[1].data<float>(), y = out.data<float>()] {
      std::vector<float> spare;
      const Rows rows = straight(given, spare);
      const std::int64_t grain = kGrain / rows.width + 1;
      parallel_ranges(rows.n * rows.heads, 1, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          set.rms_norm(rows.data + i / rows.heads * rows.row + i % rows.heads * rows.head, weight,
                       eps, rows.width, y + i * rows.width);
        }
      });
    };
  };
  return cpu_op("rms_norm", x.shape(), mx::float32, {x, settled(weight)}, std::move(prepare));
}

}  // namespace convergio::kernels
