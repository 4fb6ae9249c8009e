#include "kernels/ops/residual.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "kernels/cpu/pool.h"
#include "kernels/mlx/fast.h"
#include "kernels/mlx/row_op.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

constexpr std::int64_t kGrain = 16 * 1024;  // floats: below that a second thread costs more

mx::array mlx_residual(const mx::array& x, const mx::array& branch, float factor) {
  if (factor == 1.0F) {
    return mx::add(x, branch);
  }
  return fused(
      [](const std::vector<mx::array>& in) {
        return std::vector{mx::add(in[0], mx::multiply(in[1], in[2]))};
      },
      {x, branch, mx::array(factor, branch.dtype())});
}

void add_row(const Rows& x, const Rows& branch, std::int64_t i, float factor, float* y) {
  for (std::int64_t k = 0; k < x.width; ++k) {
    y[i * x.width + k] = x.data[i * x.row + k] + factor * branch.data[i * branch.row + k];
  }
}

void add_rows(const Rows& x, const Rows& branch, float factor, float* y) {
  parallel_ranges(x.n, 1, kGrain / x.width + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      add_row(x, branch, i, factor, y);
    }
  });
}

}  // namespace

mx::array residual(mx::array x, mx::array branch, float factor) {
  if (!own_kernels(x) || branch.dtype() != mx::float32 || x.ndim() != 2) {
    return mlx_residual(x, branch, factor);
  }
  // moved: only then can x be written over
  return row_op(
      "residual", std::array{std::move(x), std::move(branch)},
      [factor](const std::array<Rows, 2>& in, float* y) { add_rows(in[0], in[1], factor, y); });
}

mx::array gated_residual(mx::array x, mx::array branch, mx::array gate) {
  if (!own_kernels(x) || branch.dtype() != mx::float32 || gate.dtype() != mx::float32) {
    return fused(
        [](const std::vector<mx::array>& in) {
          return std::vector{mx::add(in[0], mx::multiply(in[1], mx::sigmoid(in[2])))};
        },
        {x, branch, gate});
  }
  return row_op("gated_residual", std::array{std::move(x), std::move(branch), std::move(gate)},
                [](const std::array<Rows, 3>& in, float* y) {
                  const auto& [to, from, gates] = in;
                  for (std::int64_t i = 0; i < to.n; ++i) {
                    const float factor = 1.0F / (1.0F + std::exp(-gates.data[i * gates.row]));
                    add_row(to, from, i, factor, y);
                  }
                });
}

mx::array scaled(mx::array x, float factor) {
  if (!own_kernels(x) || x.ndim() != 2) {
    return mx::multiply(x, mx::array(factor, x.dtype()));
  }
  return row_op("scaled", std::array{std::move(x)},
                [factor](const std::array<Rows, 1>& in, float* y) {
                  const Rows& rows = in[0];
                  for (std::int64_t i = 0; i < rows.n; ++i) {
                    for (std::int64_t k = 0; k < rows.width; ++k) {
                      y[i * rows.width + k] = factor * rows.data[i * rows.row + k];
                    }
                  }
                });
}

mx::array scaled(mx::array x, const mx::array& factors) {
  if (!own_kernels(x) || x.ndim() != 2) {
    return mx::multiply(x, mx::astype(factors, x.dtype()));
  }
  return row_op("scaled", std::array{std::move(x), factors},
                [](const std::array<Rows, 2>& in, float* y) {
                  const auto& [rows, columns] = in;
                  parallel_ranges(rows.n, 1, kGrain / rows.width + 1,
                                  [&](std::int64_t begin, std::int64_t end) {
                                    for (std::int64_t i = begin; i < end; ++i) {
                                      const float* from = rows.data + i * rows.row;
                                      std::transform(from, from + rows.width, columns.data,
                                                     y + i * rows.width, std::multiplies<>());
                                    }
                                  });
                });
}

}  // namespace convergio::kernels
