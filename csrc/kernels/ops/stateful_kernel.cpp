#include "kernels/ops/stateful_kernel.h"

#include <algorithm>
#include <stdexcept>

#include "kernels/mlx/operand.h"

namespace convergio::kernels {

std::vector<BoundRows> bind_states(const std::vector<int>& rows, const std::vector<mx::array>& in,
                                   std::vector<mx::array>& outs) {
  std::vector<BoundRows> bound;
  std::int64_t from = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!in[i].flags().row_contiguous) {
      throw std::logic_error("[state] a state has gaps; pass it as an op gave it.");
    }
    donate(in[i], outs[i + 1]);
    bound.push_back({.from = from,
                     .to = from + rows[i],
                     .before = in[i].data<float>(),
                     .after = outs[i + 1].data<float>()});
    from += rows[i];
  }
  return bound;
}

std::vector<BoundRows> within(const std::vector<BoundRows>& sequences, std::int64_t from,
                              std::int64_t to) {
  std::vector<BoundRows> parts;
  for (const BoundRows& one : sequences) {
    const BoundRows part{.from = std::max(one.from, from),
                         .to = std::min(one.to, to),
                         .before = one.from < from ? one.after : one.before,
                         .after = one.after};
    if (part.from < part.to) {
      parts.push_back(part);
    }
  }
  return parts;
}

void carry_over(const BoundRows& rows, std::int64_t at, std::int64_t count) {
  if (rows.before != rows.after) {
    std::copy_n(rows.before + at, count, rows.after + at);
  }
}

std::vector<int> rows_of_each(const std::vector<StatefulRows>& sequences) {
  std::vector<int> rows;
  for (const StatefulRows& one : sequences) {
    rows.push_back(one.rows);
  }
  return rows;
}

}  // namespace convergio::kernels
