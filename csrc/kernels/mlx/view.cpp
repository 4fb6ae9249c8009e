#include "kernels/mlx/view.h"

#include <utility>

#include "kernels/mlx/primitive.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

/// Its item (i, j, …) is item offset + i · strides[0] + j · strides[1] + … of `a`. Not empty.
mx::array view(const mx::array& a, mx::Shape shape, const mx::Strides& strides,
               std::int64_t offset) {
  mx::array out(std::move(shape), a.dtype(), nullptr, {});
  const mx::Strides dense = out.strides();
  std::int64_t reach = 1;
  bool dense_view = true;
  for (std::size_t i = 0; i < strides.size(); ++i) {
    const std::int64_t last = out.shape()[i] - 1;
    reach += last * strides[i];
    dense_view = dense_view && (last == 0 || strides[i] == dense[i]);
  }
  const mx::array::Flags flags{.contiguous = dense_view,
                               .row_contiguous = dense_view,
                               .col_contiguous = dense_view && out.size() == 1};
  out.copy_shared_buffer(a, strides, flags, static_cast<std::size_t>(reach), offset);
  out.set_status(mx::array::Status::available);
  return out;
}

}  // namespace

std::vector<mx::array> split_columns(const mx::array& x, const mx::Shape& columns) {
  if (!eager_on({&x, 1})) {
    return mx::split(x, columns, 1);
  }
  std::vector<mx::array> parts;
  int from = 0;
  for (std::size_t i = 0; i <= columns.size(); ++i) {
    const int to = i < columns.size() ? columns[i] : x.shape(1);
    parts.push_back(view(x, {x.shape(0), to - from}, x.strides(), from * x.strides(1)));
    from = to;
  }
  return parts;
}

mx::array heads_of(const mx::array& x, int heads) {
  const int n = x.shape(0);
  const int width = x.shape(1) / heads;
  if (eager_on({&x, 1})) {
    return view(x, {1, heads, n, width},
                {n * x.strides(0), width * x.strides(1), x.strides(0), x.strides(1)}, 0);
  }
  if (n == 1) {
    return mx::reshape(x, {1, heads, 1, width});
  }
  return mx::transpose(mx::reshape(x, {1, n, heads, width}), {0, 2, 1, 3});
}

mx::array without_heads(const mx::array& x) {
  const int n = x.shape(2);
  return mx::reshape(n == 1 ? x : mx::transpose(x, {0, 2, 1, 3}), {n, x.shape(1) * x.shape(3)});
}

namespace {

/// The items [from, to) of one axis.
mx::array between(const mx::array& x, int axis, int from, int to) {
  if (from == 0 && to == x.shape(axis)) {
    return x;
  }
  mx::Shape shape = x.shape();
  const auto at = static_cast<std::size_t>(axis);
  if (!eager_on({&x, 1})) {
    mx::Shape start(shape.size(), 0);
    start[at] = from;
    shape[at] = to;
    return mx::slice(x, start, shape);
  }
  shape[at] = to - from;
  return view(x, shape, x.strides(), from * x.strides(axis));
}

}  // namespace

mx::array rows_between(const mx::array& x, int from, int to) {
  return between(x, x.ndim() == 4 ? 2 : 0, from, to);
}

mx::array part_of_rows(const mx::array& x, int from, int to) { return between(x, 3, from, to); }

}  // namespace convergio::kernels
