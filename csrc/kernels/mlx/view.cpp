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
  const int width = x.shape(1) / heads;
  if (!eager_on({&x, 1})) {
    return mx::reshape(x, {x.shape(0), heads, width});
  }
  return view(x, {x.shape(0), heads, width}, {x.strides(0), width * x.strides(1), x.strides(1)}, 0);
}

mx::array rows_between(const mx::array& x, int from, int to) {
  if (from == 0 && to == x.shape(0)) {
    return x;
  }
  mx::Shape shape = x.shape();
  if (!eager_on({&x, 1})) {
    mx::Shape start(shape.size(), 0);
    start[0] = from;
    shape[0] = to;
    return mx::slice(x, start, shape);
  }
  shape[0] = to - from;
  return view(x, shape, x.strides(), from * x.strides(0));
}

mx::array rows_of_heads(const mx::array& x, int from, int to) {
  if (!eager_on({&x, 1})) {
    return mx::slice(x, {0, from, 0}, {x.shape(0), to, x.shape(2)});
  }
  return view(x, {x.shape(0), to - from, x.shape(2)}, x.strides(), from * x.strides(1));
}

mx::array part_of_rows(const mx::array& x, int from, int to) {
  if (!eager_on({&x, 1})) {
    return mx::slice(x, {0, 0, from}, {x.shape(0), x.shape(1), to});
  }
  return view(x, {x.shape(0), x.shape(1), to - from}, x.strides(), from * x.strides(2));
}

}  // namespace convergio::kernels
