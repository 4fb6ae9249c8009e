#include "kernels/operand.h"

#include "mlx/ops.h"

namespace convergio::kernels {

std::optional<Type> type_of(mx::Dtype dtype) {
  if (dtype == mx::float32) {
    return Type::F32;
  }
  if (dtype == mx::float16) {
    return Type::F16;
  }
  if (dtype == mx::bfloat16) {
    return Type::Bf16;
  }
  if (dtype == mx::uint8) {
    return Type::U8;
  }
  return std::nullopt;
}

mx::array settled(const mx::array& a) {
  const bool known = a.status() != mx::array::Status::unscheduled;
  return known && a.flags().row_contiguous ? a : mx::contiguous(a);
}

Rows rows_of(const mx::array& a) {
  const auto width = a.shape(1);
  return {a.data<float>(), a.shape(0), width, a.strides(0), width == 1 ? 1 : a.strides(1)};
}

Rows straight(const Rows& rows, std::vector<float>& spare) {
  if (rows.step == 1) {
    return rows;
  }
  spare.resize(static_cast<std::size_t>(rows.n * rows.width));
  float* out = spare.data();
  for (std::int64_t i = 0; i < rows.n; ++i) {
    for (std::int64_t j = 0; j < rows.width; ++j) {
      *out++ = rows.data[i * rows.stride + j * rows.step];
    }
  }
  return {spare.data(), rows.n, rows.width, rows.width, 1};
}

}  // namespace convergio::kernels
