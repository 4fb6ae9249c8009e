#include "kernels/ops/recurrence_mlx.h"

#include "kernels/mlx/fast.h"
#include "mlx/ops.h"

namespace convergio::kernels {

mx::array heads_of_rows(const mx::array& x, int heads) {
  return mx::astype(mx::reshape(x, {x.shape(0), heads, x.shape(1) / heads}), mx::float32);
}

mx::array rows_of(const mx::array& x, int from, int to) {
  return mx::slice(x, {from, 0, 0}, {to, x.shape(1), x.shape(2)});
}

mx::array decayed_sum(const mx::array& state, const mx::array& decay, const mx::array& column,
                      const mx::array& row) {
  return fused(
      [](const std::vector<mx::array>& in) {
        return std::vector{mx::add(mx::multiply(in[0], in[1]), mx::multiply(in[2], in[3]))};
      },
      {state, decay, column, row});
}

mx::array rows_of_columns(const std::vector<mx::array>& results) {
  const mx::array all = results.size() == 1 ? results[0] : mx::concatenate(results, 2);
  return mx::transpose(all, {2, 0, 1});
}

int chunk_rows(int n, int most) {
  int rows = 1;
  while (rows < n && rows < most) {
    rows *= 2;
  }
  return rows;
}

mx::array chunks_of(const mx::array& x, int rows) {
  const int n = x.shape(0);
  const int chunks = (n + rows - 1) / rows;
  const mx::array padded =
      chunks * rows == n ? x : mx::pad(x, {{0, chunks * rows - n}, {0, 0}, {0, 0}});
  return mx::transpose(mx::reshape(padded, {chunks, rows, x.shape(1), x.shape(2)}), {0, 2, 1, 3});
}

mx::array chunk_at(const mx::array& x, int i) {
  return mx::squeeze(mx::slice(x, {i, 0, 0, 0}, {i + 1, x.shape(1), x.shape(2), x.shape(3)}), 0);
}

mx::array rows_of_chunks(const std::vector<mx::array>& results, int n) {
  const mx::array all = results.size() == 1 ? results[0] : mx::concatenate(results, 1);
  return mx::transpose(mx::slice(all, {0, 0, 0}, {all.shape(0), n, all.shape(2)}), {1, 0, 2});
}

Decays decays_of(const mx::array& logarithms) {
  const int rows = logarithms.shape(2);
  const mx::array at = mx::arange(rows);
  const mx::array later = mx::expand_dims(at, 1);
  const mx::array earlier = mx::expand_dims(at, 0);
  const auto masked = [rows](const mx::array& mask, const mx::array& x) {
    return mx::where(mx::reshape(mask, {1, 1, rows, rows, 1}), x, mx::array(0.0F));
  };
  // summed from each row on: a difference of two sums from the start is as exact as those alone
  const mx::array sums =
      mx::cumsum(masked(mx::greater(later, earlier), mx::expand_dims(logarithms, 3)), 2);
  const mx::array between = masked(mx::greater_equal(later, earlier), mx::exp(sums));
  const mx::array total = mx::cumsum(logarithms, 2);
  const mx::array last = mx::slice(between, {0, 0, rows - 1, 0, 0}, between.shape());
  return {.from_start = mx::exp(total),
          .between = between,
          .to_end = mx::squeeze(last, 2),
          .whole = mx::exp(mx::slice(total, {0, 0, rows - 1, 0}, total.shape()))};
}

}  // namespace convergio::kernels
