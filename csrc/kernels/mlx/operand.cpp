#include "kernels/mlx/operand.h"

#include "kernels/mlx/primitive.h"
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

mx::array row_contiguous(const mx::array& a) {
  const bool known = a.status() != mx::array::Status::unscheduled;
  return known && a.flags().row_contiguous ? a : mx::contiguous(a);
}

RowsOperand::RowsOperand(const mx::array& a) {
  const bool has_heads = a.ndim() == 4;
  const std::int64_t width = a.shape(-1);
  rows_ = {.data = a.data<float>(),
           .n = a.ndim() > 1 ? a.shape(-2) : 1,
           .heads = has_heads ? a.shape(1) : 1,
           .width = width,
           .row = a.ndim() > 1 ? a.strides(-2) : 0,
           .head = has_heads ? a.strides(1) : 0};
  if (width > 1 && a.strides(-1) != 1) {
    stride_ = a.strides(-1);
    copy_.resize(a.size());
  }
}

Rows RowsOperand::read() {
  if (stride_ == 1) {
    return rows_;
  }
  float* out = copy_.data();
  for (std::int64_t i = 0; i < rows_.n; ++i) {
    for (std::int64_t h = 0; h < rows_.heads; ++h) {
      const float* in = rows_.data + i * rows_.row + h * rows_.head;
      for (std::int64_t j = 0; j < rows_.width; ++j) {
        *out++ = in[j * stride_];
      }
    }
  }
  Rows rows = rows_;
  rows.data = copy_.data();
  rows.row = rows.heads * rows.width;
  rows.head = rows.width;
  return rows;
}

void donate(const mx::array& in, mx::array& out) {
  if (in.is_donatable() && in.flags().row_contiguous && in.nbytes() == out.nbytes()) {
    out.copy_shared_buffer(in);
  } else {
    allocate(out);
  }
}

}  // namespace convergio::kernels
