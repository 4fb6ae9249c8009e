#include "kernels/norm.h"

#include "mlx/fast.h"

namespace convergio::kernels {

mx::array rms_norm(const mx::array& x, const mx::array& weight, float eps) {
  return mx::fast::rms_norm(x, weight, eps);
}

}  // namespace convergio::kernels
