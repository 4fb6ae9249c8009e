#include "kernels/ops/kv_append.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kernels/bodies/kernel_set.h"
#include "kernels/mlx/operand.h"
#include "kernels/mlx/primitive.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

mx::array mlx_append(mx::array buffer, const mx::array& rows, int at, int column) {
  const mx::array update = mx::astype(rows, buffer.dtype());
  const mx::Shape start{0, 0, at, column};
  const mx::Shape stop{1, buffer.shape(1), at + rows.shape(2), column + rows.shape(3)};
  return mx::slice_update(std::move(buffer), update, start, stop);
}

/// What cpu_op runs.
struct AppendKernel {
  const KernelSet& set;
  std::int64_t at;
  std::int64_t column;
  RowsOperand rows{};
  Type type{};
  const std::uint8_t* old = nullptr;
  std::uint8_t* y = nullptr;
  std::size_t bytes = 0;
  std::int64_t first_byte = 0;  ///< of what is written of a row
  std::int64_t row_bytes = 0;
  std::int64_t head_bytes = 0;

  void bind(const std::vector<mx::array>& in, mx::array& out) {
    if (!in[0].flags().row_contiguous) {
      throw std::logic_error("[kv_append] the buffer has gaps; pass it as it was allocated.");
    }
    donate(in[0], out);
    rows = RowsOperand(in[1]);
    type = *type_of(out.dtype());
    old = in[0].data<std::uint8_t>();
    const auto size = static_cast<std::int64_t>(out.itemsize());
    y = out.data<std::uint8_t>();
    first_byte = column * size;
    bytes = out.nbytes();
    row_bytes = out.shape(3) * size;
    head_bytes = out.shape(2) * row_bytes;
  }

  void run() {
    if (old != y) {
      std::memcpy(y, old, bytes);
    }
    const Rows x = rows.read();
    for (std::int64_t i = 0; i < x.n; ++i) {
      for (std::int64_t h = 0; h < x.heads; ++h) {
        set.cast_row(x.data + i * x.row + h * x.head, x.width, type,
                     y + h * head_bytes + (at + i) * row_bytes + first_byte);
      }
    }
  }
};

}  // namespace

bool is_cache_type(const mx::array& a) {
  const auto type = type_of(a.dtype());
  return type && *type != Type::U8;
}

mx::array kv_append(mx::array buffer, const mx::array& rows, int at, int column) {
  if (!own_kernels(rows) || !is_cache_type(buffer)) {
    return mlx_append(std::move(buffer), rows, at, column);
  }
  mx::Shape shape = buffer.shape();
  const mx::Dtype dtype = buffer.dtype();
  std::vector<mx::array> inputs;
  inputs.push_back(std::move(buffer));  // moved: only then can it be written in place
  inputs.push_back(rows);
  return cpu_op("kv_append", std::move(shape), dtype, std::move(inputs),
                AppendKernel{.set = kernel_set(active_isa()), .at = at, .column = column});
}

}  // namespace convergio::kernels
