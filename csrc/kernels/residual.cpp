#include "kernels/residual.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/operand.h"
#include "kernels/pool.h"
#include "kernels/primitive.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

constexpr std::int64_t kGrain = 16 * 1024;  // floats: below that a second thread costs more

mx::array mlx_residual(const mx::array& x, const mx::array& branch, float factor) {
  return mx::add(x,
                 factor == 1.0F ? branch : mx::multiply(branch, mx::array(factor, branch.dtype())));
}

}  // namespace

mx::array residual(mx::array x, mx::array branch, float factor) {
  if (!own_kernels(x) || branch.dtype() != mx::float32 || x.ndim() != 2) {
    return mlx_residual(x, branch, factor);
  }
  auto prepare = [factor](const std::vector<mx::array>& in, mx::array& out) -> Work {
    const Rows stream = rows_of(in[0]);
    const Rows added = rows_of(in[1]);
    take_over(in[0], out);
    return [factor, stream, added, y = out.data<float>()] {
      std::vector<float> spare_stream;
      std::vector<float> spare_added;
      const Rows a = straight(stream, spare_stream);
      const Rows b = straight(added, spare_added);
      parallel_ranges(a.n, 1, kGrain / a.width + 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          for (std::int64_t k = 0; k < a.width; ++k) {
            y[i * a.width + k] = a.data[i * a.row + k] + factor * b.data[i * b.row + k];
          }
        }
      });
    };
  };
  mx::Shape shape = x.shape();
  std::vector<mx::array> inputs;
  inputs.push_back(std::move(x));  // moved: only then can it be written over
  inputs.push_back(std::move(branch));
  return cpu_op("residual", std::move(shape), mx::float32, std::move(inputs), std::move(prepare));
}

}  // namespace convergio::kernels
