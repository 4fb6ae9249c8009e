#include "model/segments.h"

#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/rope.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::model {

int rows_of(Segments segments) {
  int rows = 0;
  for (const Segment& one : segments) {
    rows += one.rows;
  }
  return rows;
}

mx::array rows_of(const mx::array& x, int from, int to) {
  return to - from == x.shape(0) ? x : kernels::rows_between(x, from, to);
}

mx::array joined_rows(const std::vector<mx::array>& parts) {
  mx::array all = mx::concatenate(parts, 0);
  if (kernels::eager_on(parts)) {
    mx::eval(all);
  }
  return all;
}

mx::array rotated(const mx::array& x, Segments segments, int index, bool interleaved) {
  if (index < 0) {
    return x;
  }
  std::vector<kernels::RotatedRows> parts;
  for (const Segment& one : segments) {
    const Cache::RotaryTable& table = one.cache->rotary(index);
    parts.push_back({one.rows, one.cache->length(), table.periods, table.magnitude});
  }
  return kernels::rope(x, parts, interleaved);
}

}  // namespace convergio::model
