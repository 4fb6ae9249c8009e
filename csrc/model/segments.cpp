#include "model/segments.h"

#include "kernels/ops/rope.h"

namespace convergio::model {

int rows_of(Segments segments) {
  int rows = 0;
  for (const Segment& one : segments) {
    rows += one.rows;
  }
  return rows;
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
