#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/bodies/kernel_set.h"
#include "mlx/array.h"

// From MLX's arrays to what the kernels take.
namespace convergio::kernels {

namespace mx = mlx::core;

/// The kernels' name of a type; nothing where they do not read it.
std::optional<Type> type_of(mx::Dtype dtype);

/// `a` itself where it is known to be row-contiguous, else an op that makes it so.
mx::array row_contiguous(const mx::array& a);

/// Rows of floats: item j of head h of row i is data[i · row + h · head + j].
struct Rows {
  const float* data;
  std::int64_t n;
  std::int64_t heads;  ///< 1 where there are none
  std::int64_t width;
  std::int64_t row;
  std::int64_t head;
};

/// A float32 operand of shape (width,), (n, width) or (1, heads, n, width) and any strides, read as
/// rows of unit stride.
class RowsOperand {
 public:
  RowsOperand() = default;

  /// `a` has its memory, not yet its values.
  explicit RowsOperand(const mx::array& a);

  const Rows& shape() const { return rows_; }

  /// With the values in place: the rows, copied where their items have another stride than 1.
  Rows read();

 private:
  Rows rows_{};
  std::int64_t stride_ = 1;  ///< between the items of a row
  std::vector<float> copy_;
};

/// Memory for an output that may be written over `in`, row by row: that of `in` where nobody else
/// needs it, else fresh.
void donate(const mx::array& in, mx::array& out);

}  // namespace convergio::kernels
