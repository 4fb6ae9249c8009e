#include "kernels/ops/take_rows.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/mlx/operand.h"
#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

/// What cpu_op runs.
struct TakeKernel {
  std::vector<int> rows;
  RowsOperand x{};
  float* y = nullptr;

  void bind(const std::vector<mx::array>& in, mx::array& out) {
    allocate(out);
    x = RowsOperand(in[0]);
    y = out.data<float>();
  }

  void run() {
    const Rows all = x.read();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::copy_n(all.data + rows[i] * all.row, all.width,
                  y + static_cast<std::int64_t>(i) * all.width);
    }
  }
};

}  // namespace

mx::array take_rows(const mx::array& x, const std::vector<int>& rows) {
  const auto count = static_cast<int>(rows.size());
  const auto gap = [](int row, int next) { return next != row + 1; };
  if (count > 0 && std::ranges::adjacent_find(rows, gap) == rows.end()) {
    return rows_between(x, rows.front(), rows.back() + 1);
  }
  if (!own_kernels(x)) {
    return mx::take(x, mx::array(rows.begin(), {count}, mx::int32), 0);
  }
  return cpu_op("take_rows", {count, x.shape(1)}, mx::float32, {x}, TakeKernel{.rows = rows});
}

}  // namespace convergio::kernels
