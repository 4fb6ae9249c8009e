#include "kernels/ops/embedding.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "kernels/cpu/pool.h"
#include "kernels/mlx/fast.h"
#include "kernels/mlx/operand.h"
#include "kernels/mlx/primitive.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

mx::array mlx_rows(const mx::array& ids, const Matrix& weight, mx::Dtype dtype) {
  const mx::array rows = mx::take(weight.data, ids, 0);
  if (weight.format == Format::Dense) {
    return mx::astype(rows, dtype);
  }
  std::optional<mx::array> biases;
  if (weight.biases) {
    biases = mx::astype(mx::take(*weight.biases, ids, 0), dtype);
  }
  mx::array scales = mx::take(*weight.scales, ids, 0);
  if (weight.format == Format::Affine) {
    scales = mx::astype(scales, dtype);
  }
  return fast_dequantize(rows, scales, biases, weight.group_size, weight.bits,
                         mode_name(weight.format), dtype);
}

mx::array mlx_embedding(const mx::array& ids, const Matrix& weight, mx::Dtype dtype,
                        float multiplier) {
  const mx::array rows = mlx_rows(ids, weight, dtype);
  return multiplier == 1.0F ? rows : mx::multiply(rows, mx::array(multiplier, dtype));
}

/// What cpu_op runs.
struct EmbeddingKernel {
  const KernelSet& set;
  MatrixOperand matrix;
  float multiplier;
  Weights w{};
  const std::int32_t* ids = nullptr;
  std::int64_t count = 0;
  float* y = nullptr;

  void bind(const std::vector<mx::array>& in, mx::array& out) {
    allocate(out);
    w = matrix.bind(in);
    ids = in[0].data<std::int32_t>();
    count = static_cast<std::int64_t>(in[0].size());
    y = out.data<float>();
  }

  void run() {
    auto* work = static_cast<float*>(scratch(linear_work(w, 1) * std::int64_t{sizeof(float)}));
    for (std::int64_t i = 0; i < count; ++i) {
      float* row = y + i * w.cols;
      if (ids[i] >= 0 && ids[i] < w.rows) {
        set.dequantize(w, ids[i], row, work);
        std::for_each_n(row, w.cols, [this](float& x) { x *= multiplier; });
      } else {
        std::fill(row, row + w.cols, 0.0F);  // the engine lets no such id through
      }
    }
  }
};

}  // namespace

mx::array embedding(const mx::array& ids, const Matrix& weight, mx::Dtype dtype, float multiplier) {
  if (dtype != mx::float32 || ids.dtype() != mx::int32 || !own_kernels() || !kernels_read(weight)) {
    return mlx_embedding(ids, weight, dtype, multiplier);
  }
  std::vector<mx::array> inputs{row_contiguous(ids)};
  EmbeddingKernel kernel{.set = kernel_set(active_isa()),
                         .matrix = MatrixOperand(weight, inputs),
                         .multiplier = multiplier};
  return cpu_op("embedding", {ids.shape(0), weight.cols}, dtype, std::move(inputs), kernel);
}

}  // namespace convergio::kernels
