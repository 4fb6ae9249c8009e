#include "kernels/ops/linear_kernel.h"

#include <algorithm>
#include <cstddef>

#include "kernels/cpu/cores.h"
#include "kernels/cpu/pool.h"
#include "kernels/mlx/primitive.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

constexpr std::int64_t kFloat = sizeof(float);

}  // namespace

LinearKernel::LinearKernel(const std::vector<Linear>& linears, std::optional<Activation> gate,
                           bool adds, std::vector<mx::array>& inputs)
    : set_(kernel_set(active_isa())), gate_(gate), adds_(adds), width_(0) {
  for (const Linear& linear : linears) {
    Operand operand{MatrixOperand(linear.weight, inputs), 0};
    if (linear.bias) {
      operand.bias = inputs.size();
      inputs.push_back(row_contiguous(mx::astype(*linear.bias, mx::float32)));
    }
    width_ += linear.weight.rows;
    operands_.push_back(operand);
  }
  width_ /= gate ? 2 : 1;
}

void LinearKernel::bind(const std::vector<mx::array>& inputs, mx::array& out) {
  x_ = RowsOperand(inputs[0]);
  if (adds_) {
    donate(inputs[1], out);
    addend_ = RowsOperand(inputs[1]);
  } else {
    allocate(out);
  }
  y_ = out.data<float>();
  matrices_.reserve(2);
  for (const Operand& operand : operands_) {
    matrices_.push_back({operand.matrix.bind(inputs),
                         operand.bias > 0 ? inputs[operand.bias].data<std::byte>() : nullptr});
  }
  if (gate_ && matrices_.size() == 1) {  // the halves of one matrix
    const BoundLinear whole = matrices_.front();
    matrices_ = {rows_of(whole, 0, width_), rows_of(whole, width_, 2 * width_)};
  }
  chunk_rows_ = Product::rows_at_a_time(layout(), x_.shape().n);
  split_outputs();
  const Product product(layout(), chunk_rows_);
  if (product.prepacked_floats() > 0) {
    prepacked_ = aligned_floats(product.prepacked_floats());
  }
}

/// Cuts the outputs into pieces for the threads.
void LinearKernel::split_outputs() {
  const Product product(layout(), chunk_rows_);
  largest_piece_ = std::min(range_size(width_, product.step(), product.grain()),
                            gate_ ? product.most() / 2 : product.most());
  std::int64_t column = 0;
  for (std::size_t i = 0; i < (gate_ ? 1 : matrices_.size()); ++i) {
    const std::int64_t rows = matrices_[i].weights.rows;
    for (std::int64_t begin = 0; begin < rows; begin += largest_piece_) {
      pieces_.push_back({i, begin, std::min(rows, begin + largest_piece_), column + begin});
    }
    column += rows;
  }
  work_bytes_ = product.work_bytes();
}

void LinearKernel::run() {
  const Rows x = x_.read();
  if (adds_) {
    added_ = addend_.read();
  }
  for (std::int64_t from = 0; from < x.n; from += chunk_rows_) {
    const Chunk chunk = prepack(x, from, std::min(chunk_rows_, x.n - from));
    parallel(static_cast<std::int64_t>(pieces_.size()),
             [&](std::int64_t i) { compute(chunk, pieces_[static_cast<std::size_t>(i)]); });
  }
}

LinearKernel::Chunk LinearKernel::prepack(const Rows& x, std::int64_t from, std::int64_t n) const {
  // the last rows of many are not fewer than those that pieces were cut for
  const Product product(layout(), n, x.n);
  const float* rows = x.data + from * x.row;
  if (product.prepacked_floats() == 0) {
    return {from, n, rows, x.row, product};
  }
  parallel_ranges(n, 1, Product::kRowsWorthSharing, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      product.prepack(rows + i * x.row, i, prepacked_.get());
    }
  });
  return {from, n, prepacked_.get(), 0, product};
}

/// Where the thread that computes a piece is likely to go on: threads take pieces in turn.
RowsAfter LinearKernel::after(const Piece& piece) const {
  const auto next = static_cast<std::size_t>(&piece - pieces_.data() + thread_count());
  if (next >= pieces_.size()) {
    return {};
  }
  return {&matrices_[pieces_[next].matrix].weights, pieces_[next].begin};
}

/// A piece's outputs with bias, gate and what is added, into y.
void LinearKernel::compute(const Chunk& chunk, const Piece& piece) const {
  const auto& [from, n, x, x_stride, product] = chunk;
  const std::int64_t width = piece.end - piece.begin;
  const std::int64_t floats = n * largest_piece_;
  auto* work = static_cast<std::uint8_t*>(scratch(work_bytes_ + (gate_ ? 2 : 1) * floats * kFloat));
  auto* out = reinterpret_cast<float*>(work + work_bytes_);
  const RowsAfter next = after(piece);
  product.run(matrices_[piece.matrix], x, x_stride, piece.begin, piece.end,
              gate_ ? RowsAfter{&matrices_[1].weights, piece.begin} : next, work, out);
  if (gate_) {
    float* up = out + floats;
    product.run(matrices_[1], x, x_stride, piece.begin, piece.end, next, work, up);
    set_.gated(out, up, *gate_, n * width, out);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const float* sums = out + i * width;
    const float* added = adds_ ? added_.data + (from + i) * added_.row + piece.column : nullptr;
    float* y = y_ + (from + i) * width_ + piece.column;
    for (std::int64_t r = 0; r < width; ++r) {
      y[r] = added == nullptr ? sums[r] : added[r] + sums[r];
    }
  }
}

}  // namespace convergio::kernels
