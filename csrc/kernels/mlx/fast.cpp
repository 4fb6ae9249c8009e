#include "kernels/mlx/fast.h"

#include <atomic>

#include "mlx/compile.h"
#include "mlx/device.h"
#include "mlx/fast.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

std::atomic<bool> fuses_on_cpu = false;

}  // namespace

mx::array fast_rms_norm(const mx::array& x, const std::optional<mx::array>& weight, float eps) {
  return mx::fast::rms_norm(x, weight, eps);
}

mx::array fast_layer_norm(const mx::array& x, const std::optional<mx::array>& weight,
                          const std::optional<mx::array>& bias, float eps) {
  return mx::fast::layer_norm(x, weight, bias, eps);
}

mx::array fast_rope(const mx::array& x, int dims, bool interleaved, int offset,
                    const mx::array& periods) {
  return mx::fast::rope(x, dims, /*traditional=*/interleaved, /*base=*/std::nullopt,
                        /*scale=*/1.0F, offset, periods);
}

mx::array fast_dequantize(const mx::array& packed, const mx::array& scales,
                          const std::optional<mx::array>& biases, int group_size, int bits,
                          const std::string& mode, mx::Dtype dtype) {
  return mx::dequantize(packed, scales, biases, group_size, bits, mode, std::nullopt, dtype);
}

mx::array fast_attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                         float scale, const std::string& mask_mode,
                         const std::optional<mx::array>& mask,
                         const std::optional<mx::array>& sinks) {
  return mx::fast::scaled_dot_product_attention(q, keys, values, scale, mask_mode, mask, sinks);
}

std::vector<mx::array> fast_gated_delta(const mx::array& q, const mx::array& k, const mx::array& v,
                                        const mx::array& decay, const mx::array& beta,
                                        const mx::array& state) {
  return mx::fast::gated_delta_update(q, k, v, decay, beta, state);
}

mx::array fused(Elementwise function, const std::vector<mx::array>& inputs) {
  // MLX keeps what it compiled by the function's address
  const bool compiles = fuses_on_cpu || mx::default_device() == mx::Device::gpu;
  return compiles ? mx::compile(function, /*shapeless=*/true)(inputs)[0] : function(inputs)[0];
}

void force_fusing(bool on) { fuses_on_cpu = on; }

}  // namespace convergio::kernels
