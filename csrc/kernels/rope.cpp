#include "kernels/rope.h"

#include "mlx/fast.h"
#include "mlx/ops.h"

namespace convergio::kernels {

mx::array rope(const mx::array& x, const mx::array& periods, float magnitude, int offset) {
  const int n = x.shape(0);
  const int heads = x.shape(1);
  const int head_dim = x.shape(2);
  const int dims = 2 * periods.shape(0);
  // fast::rope counts positions along the axis before the last
  mx::array y = mx::fast::rope(mx::reshape(mx::transpose(x, {1, 0, 2}), {1, heads, n, head_dim}),
                               dims, /*traditional=*/false, /*base=*/std::nullopt,
                               /*scale=*/1.0F, offset, periods);
  y = mx::transpose(mx::reshape(y, {heads, n, head_dim}), {1, 0, 2});
  if (magnitude == 1.0F) {
    return y;
  }
  const mx::array turned =
      mx::multiply(mx::slice(y, {0, 0, 0}, {n, heads, dims}), mx::array(magnitude, y.dtype()));
  if (dims == head_dim) {
    return turned;
  }
  return mx::concatenate({turned, mx::slice(y, {0, 0, dims}, {n, heads, head_dim})}, 2);
}

}  // namespace convergio::kernels
