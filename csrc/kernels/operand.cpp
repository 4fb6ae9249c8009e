#include "kernels/operand.h"

#include "kernels/primitive.h"
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
  const bool has_heads = a.ndim() == 3;
  const auto width = a.shape(-1);
  return {.data = a.data<float>(),
          .n = a.shape(0),
          .heads = has_heads ? a.shape(1) : 1,
          .width = width,
          .row = a.strides(0),
          .head = has_heads ? a.strides(1) : 0,
          .step = width == 1 ? 1 : a.strides(-1)};
}

Rows straight(const Rows& rows, std::vector<float>& spare) {
  if (rows.step == 1) {
    return rows;
  }
  spare.resize(static_cast<std::size_t>(rows.n * rows.heads * rows.width));
  float* out = spare.data();
  for (std::int64_t i = 0; i < rows.n; ++i) {
    for (std::int64_t h = 0; h < rows.heads; ++h) {
      for (std::int64_t j = 0; j < rows.width; ++j) {
        *out++ = rows.data[i * rows.row + h * rows.head + j * rows.step];
      }
    }
  }
  return {.data = spare.data(),
          .n = rows.n,
          .heads = rows.heads,
          .width = rows.width,
          .row = rows.heads * rows.width,
          .head = rows.width,
          .step = 1};
}

void take_over(const mx::array& in, mx::array& out) {
  if (in.is_donatable() && in.flags().row_contiguous && in.nbytes() == out.nbytes()) {
    out.copy_shared_buffer(in);
  } else {
    allocate(out);
  }
}

}  // namespace convergio::kernels
