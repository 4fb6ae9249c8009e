#include "kernels/ops/selective_scan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "kernels/bodies/kernel_set.h"
#include "kernels/mlx/operand.h"
#include "kernels/ops/selective_scan_mlx.h"
#include "kernels/ops/stateful_kernel.h"

namespace convergio::kernels {

namespace {

/// What stateful_op runs. Some rows at a time are prepared (dt and decay), each head's and group's
/// side by side, then go through the states, of which a task takes what the first-level cache
/// holds.
class ScanKernel {
 public:
  ScanKernel(const KernelSet& set, const SelectiveScan& layer, std::vector<int> rows)
      : set_(&set),
        heads_(layer.heads),
        groups_(layer.groups),
        least_dt_(layer.least_dt),
        most_dt_(layer.most_dt),
        rows_(std::move(rows)) {}

  /// Inputs are the states, then x, b, c, dt, a_log, dt_bias and d.
  void bind(const std::vector<mx::array>& in, std::vector<mx::array>& outs) {
    sequences_ = bind_states(rows_, in, outs);
    const auto* other = in.data() + rows_.size();
    for (RowsOperand* operand : {&x_, &b_, &c_, &dt_, &a_log_, &dt_bias_, &d_}) {
      *operand = RowsOperand(*other++);
    }
    allocate(outs[0]);
    y_ = outs[0].data<float>();
    head_dim_ = x_.shape().width / heads_;
    state_dim_ = b_.shape().width / groups_;
    const std::int64_t window = std::min(kWindow, x_.shape().n);
    prepared_ = aligned_floats(heads_ + window * row_floats());
    rates_ = prepared_.get();
    inputs_ = rates_ + heads_;
  }

  void run() {
    read();
    for_windows(
        sequences_, rows_x_.n, kWindow, row_floats(),
        {.heads = heads_, .rows = head_dim_, .width = state_dim_},
        [&](std::int64_t row, std::int64_t i, std::int64_t n) { prepare(row, i, n); },
        [&](const StateBlock& block, std::int64_t from, std::int64_t n) {
          advance(block, from, n);
        });
  }

 private:
  static constexpr std::int64_t kWindow = 256;  ///< rows prepared at a time

  /// The floats that are prepared for a row.
  std::int64_t row_floats() const { return heads_ * (head_dim_ + 2) + 2 * groups_ * state_dim_; }

  void read() {
    rows_x_ = x_.read();
    rows_b_ = b_.read();
    rows_c_ = c_.read();
    rows_dt_ = dt_.read();
    bias_ = dt_bias_.read();
    skip_ = d_.read();
    const Rows a_log = a_log_.read();
    for (std::int64_t h = 0; h < heads_; ++h) {
      rates_[h] = std::exp(a_log.data[h]);
    }
  }

  /// Where x of a head, b (0) or c (1) of a group, dt and decay of row i of a window of n lie.
  float* input(std::int64_t head, std::int64_t i, std::int64_t n) const {
    return inputs_ + (head * n + i) * head_dim_;
  }
  float* shared(std::int64_t which, std::int64_t group, std::int64_t i, std::int64_t n) const {
    return input(heads_, 0, n) + ((which * groups_ + group) * n + i) * state_dim_;
  }
  float* dt(std::int64_t i, std::int64_t n) const { return shared(2, 0, 0, n) + i * heads_; }
  float* decay(std::int64_t i, std::int64_t n) const { return dt(n + i, n); }

  /// Row `row` of the pass, which is row i of a window of n.
  void prepare(std::int64_t row, std::int64_t i, std::int64_t n) const {
    for (std::int64_t h = 0; h < heads_; ++h) {
      std::copy_n(rows_x_.data + row * rows_x_.row + h * head_dim_, head_dim_, input(h, i, n));
    }
    for (std::int64_t g = 0; g < groups_; ++g) {
      std::copy_n(rows_b_.data + row * rows_b_.row + g * state_dim_, state_dim_,
                  shared(0, g, i, n));
      std::copy_n(rows_c_.data + row * rows_c_.row + g * state_dim_, state_dim_,
                  shared(1, g, i, n));
    }
    set_->softplus(rows_dt_.data + row * rows_dt_.row, bias_.data, least_dt_, most_dt_, heads_,
                   dt(i, n));
    set_->decay(dt(i, n), rates_, false, heads_, decay(i, n));
  }

  /// A block's tokens through its rows of the state. The window begins at row `from` of the pass
  /// and has n rows.
  void advance(const StateBlock& block, std::int64_t from, std::int64_t n) const {
    const BoundRows& rows = block.tokens;
    const std::int64_t head = block.head;
    const std::int64_t i = rows.from - from;
    const std::int64_t group = head / (heads_ / groups_);
    set_->selective_scan({.state = rows.after + block.at,
                          .rows = block.rows,
                          .width = state_dim_,
                          .tokens = rows.to - rows.from,
                          .x = input(head, i, n) + block.first,
                          .x_row = head_dim_,
                          .b = shared(0, group, i, n),
                          .c = shared(1, group, i, n),
                          .bc_row = state_dim_,
                          .dt = dt(i, n) + head,
                          .decay = decay(i, n) + head,
                          .dt_row = heads_,
                          .d = skip_.data[head],
                          .y = y_ + rows.from * heads_ * head_dim_ + head * head_dim_ + block.first,
                          .y_row = heads_ * head_dim_});
  }

  const KernelSet* set_;
  std::int64_t heads_;
  std::int64_t groups_;
  float least_dt_;
  float most_dt_;
  std::vector<int> rows_;
  std::vector<BoundRows> sequences_;
  RowsOperand x_, b_, c_, dt_, a_log_, dt_bias_, d_;
  Rows rows_x_{}, rows_b_{}, rows_c_{}, rows_dt_{}, bias_{}, skip_{};
  std::int64_t head_dim_ = 0;
  std::int64_t state_dim_ = 0;
  std::shared_ptr<float[]> prepared_;
  float* rates_ = nullptr;
  float* inputs_ = nullptr;  ///< x, head by head, b and c, group by group, then dt, then decay
  float* y_ = nullptr;
};

bool all_floats(const SelectiveScanRows& rows) {
  return std::ranges::all_of(std::array{&rows.x, &rows.b, &rows.c, &rows.dt},
                             [](const mx::array* a) { return a->dtype() == mx::float32; });
}

}  // namespace

WithStates selective_scan(const SelectiveScanRows& rows, std::vector<StatefulRows> sequences,
                          const SelectiveScan& layer) {
  const int n = rows.x.shape(0);
  check_states("selective_scan", sequences, n,
               {layer.heads, rows.x.shape(1) / layer.heads, rows.b.shape(1) / layer.groups});
  if (!own_kernels() || !all_floats(rows)) {
    return mlx_selective_scan(rows, sequences, layer);
  }
  ScanKernel kernel(kernel_set(active_isa()), layer, rows_of_each(sequences));
  return stateful_op("selective_scan", {n, rows.x.shape(1)}, std::move(sequences),
                     {rows.x, rows.b, rows.c, rows.dt, layer.a_log, layer.dt_bias, layer.d},
                     std::move(kernel));
}

}  // namespace convergio::kernels
