#include "kernels/ops/head_linear.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/cpu/pool.h"
#include "kernels/mlx/operand.h"
#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/product.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels {

/// The matrices as the kernels read them.
struct HeadTable {
  std::vector<BoundLinear> heads;
  Matrix whole;  ///< what the pointers are into
};

namespace {

constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kMostRows = 64;  // of x that a task takes: bounds its memory

std::shared_ptr<const HeadTable> table_of(const HeadMatrices& matrices) {
  if (!own_kernels() || !kernels_read(matrices.weight)) {
    return nullptr;
  }
  auto table = std::make_shared<HeadTable>(HeadTable{.heads = {}, .whole = matrices.weight});
  std::vector<mx::array> arrays;
  const MatrixOperand operand(table->whole, arrays);
  const BoundLinear whole{operand.bind(arrays), nullptr};
  for (int h = 0; h < matrices.heads; ++h) {
    const std::int64_t begin = std::int64_t{h} * matrices.block + matrices.first;
    table->heads.push_back(rows_of(whole, begin, begin + matrices.weight.rows));
  }
  return table;
}

/// Each head's own rows of an array of all: (heads, rows, …). What is in one piece stays where it
/// is: mx::contiguous may copy memory of a mapped file, whose size MLX's allocator does not know.
mx::array own_rows(const mx::array& all, const HeadMatrices& matrices) {
  const int width = all.shape(-1);
  const mx::array blocks = mx::reshape(all, {matrices.heads, matrices.block, width});
  if (matrices.block == matrices.weight.rows) {
    return blocks;
  }
  const mx::array part = mx::slice(blocks, {0, matrices.first, 0},
                                   {matrices.heads, matrices.first + matrices.weight.rows, width});
  return matrices.heads == 1 ? part : mx::contiguous(part);
}

/// The same without what lies between.
HeadMatrices dense_blocks(HeadMatrices matrices) {
  Matrix& weight = matrices.weight;
  weight.data = own_rows(weight.data, matrices);
  for (auto* part : {&weight.scales, &weight.biases}) {
    if (*part) {
      *part = own_rows(**part, matrices);
    }
  }
  matrices.block = weight.rows;
  matrices.first = 0;
  return matrices;
}

mx::array mlx_head_linear(const mx::array& x, const Matrix& weight,
                          const std::optional<mx::array>& tail) {
  mx::array y = weight.format == Format::Dense
                    ? mx::matmul(x, mx::swapaxes(mx::astype(weight.data, x.dtype()), -1, -2))
                    : mx::quantized_matmul(x, weight.data, *weight.scales, weight.biases,
                                           /*transpose=*/true, weight.group_size, weight.bits,
                                           mode_name(weight.format));
  if (tail) {
    y = mx::concatenate({y, *tail}, 3);
  }
  return without_heads(y);
}

/// What cpu_op runs: a task for each head and some rows of x.
class HeadLinearKernel {
 public:
  explicit HeadLinearKernel(std::shared_ptr<const HeadTable> table) : table_(std::move(table)) {}

  void bind(const std::vector<mx::array>& in, mx::array& out) {
    x_ = RowsOperand(in[0]);
    if (in.size() > 1) {
      tail_ = RowsOperand(in[1]);
    }
    allocate(out);
    y_ = out.data<float>();
  }

  void run() {
    const Rows x = x_.read();
    const std::optional<Rows> tail = tail_ ? std::optional(tail_->read()) : std::nullopt;
    const std::int64_t chunks = (x.n + kMostRows - 1) / kMostRows;
    parallel(x.heads * chunks, [&](std::int64_t task) {
      const std::int64_t from = task % chunks * kMostRows;
      compute(x, tail, task / chunks, from, std::min(from + kMostRows, x.n));
    });
  }

 private:
  /// Rows [from, to) of one head.
  void compute(const Rows& x, const std::optional<Rows>& tail, std::int64_t head, std::int64_t from,
               std::int64_t to) const {
    const BoundLinear& matrix = table_->heads[static_cast<std::size_t>(head)];
    const std::int64_t rows = matrix.weights.rows;
    const std::int64_t n = to - from;
    const std::int64_t width = rows + (tail ? tail->width : 0);
    const Product product(matrix.weights, n);
    const std::int64_t piece = std::min(rows, product.most());
    const std::int64_t work_bytes = product.work_bytes();
    const std::int64_t packed = (product.prepacked_floats() + 15) / 16 * 16;
    auto* work = static_cast<std::uint8_t*>(scratch(work_bytes + (packed + n * piece) * kFloat));
    auto* memory = reinterpret_cast<float*>(work + work_bytes);
    float* out = memory + packed;
    const float* in = x.data + from * x.row + head * x.head;
    for (std::int64_t i = 0; packed > 0 && i < n; ++i) {
      product.prepack(in + i * x.row, i, memory);
    }
    float* y = y_ + (from * x.heads + head) * width;
    for (std::int64_t begin = 0; begin < rows; begin += piece) {
      const std::int64_t end = std::min(begin + piece, rows);
      const RowsAfter after = end < rows ? RowsAfter{&matrix.weights, end} : RowsAfter{};
      product.run(matrix, packed > 0 ? memory : in, x.row, begin, end, after, work, out);
      for (std::int64_t i = 0; i < n; ++i) {
        std::copy_n(out + i * (end - begin), end - begin, y + i * x.heads * width + begin);
      }
    }
    for (std::int64_t i = 0; tail && i < n; ++i) {
      std::copy_n(tail->data + (from + i) * tail->row + head * tail->head, tail->width,
                  y + i * x.heads * width + rows);
    }
  }

  std::shared_ptr<const HeadTable> table_;
  RowsOperand x_;
  std::optional<RowsOperand> tail_;
  float* y_ = nullptr;
};

}  // namespace

HeadLinear::HeadLinear(HeadMatrices matrices)
    : matrices_(std::move(matrices)), table_(table_of(matrices_)) {
  if (table_ == nullptr) {
    matrices_ = dense_blocks(std::move(matrices_));
  }
}

mx::array HeadLinear::operator()(const mx::array& x, const std::optional<mx::array>& tail) const {
  if (table_ == nullptr || !own_kernels(x)) {
    return mlx_head_linear(x, (table_ == nullptr ? matrices_ : dense_blocks(matrices_)).weight,
                           tail);
  }
  const int width = matrices_.weight.rows + (tail ? tail->shape(3) : 0);
  std::vector<mx::array> inputs{x};
  if (tail) {
    inputs.push_back(*tail);
  }
  return cpu_op("head_linear", {x.shape(2), x.shape(1) * width}, mx::float32, std::move(inputs),
                HeadLinearKernel(table_));
}

HeadMatrices transposed(const HeadMatrices& matrices, mx::Dtype dtype) {
  const Matrix own = dense_blocks(matrices).weight;
  mx::array floats = own.data;
  if (own.format != Format::Dense) {
    const auto exactly = [](const std::optional<mx::array>& groups, bool are_floats) {
      return groups && are_floats ? std::optional(mx::astype(*groups, mx::float32)) : groups;
    };
    const bool affine = own.format == Format::Affine;
    floats = mx::dequantize(own.data, *exactly(own.scales, affine), exactly(own.biases, affine),
                            own.group_size, own.bits, mode_name(own.format));
  }
  HeadMatrices back{
      .weight = {.data = mx::contiguous(mx::swapaxes(mx::astype(floats, dtype), -1, -2)),
                 .scales = {},
                 .biases = {},
                 .rows = own.cols,
                 .cols = own.rows},
      .heads = matrices.heads,
      .block = own.cols,
      .first = 0};
  mx::eval(back.weight.data);
  return back;
}

}  // namespace convergio::kernels
