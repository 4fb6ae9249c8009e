#include "kernels/ops/selective_scan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "kernels/bodies/kernel_set.h"
#include "kernels/cpu/pool.h"
#include "kernels/mlx/operand.h"
#include "kernels/ops/selective_scan_mlx.h"
#include "kernels/ops/stateful_kernel.h"

namespace convergio::kernels {

namespace {

/// What stateful_op runs. A task takes as many of a head's rows as the first-level cache holds.
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
    n_ = x_.shape().n;
    steps_ = aligned_floats((2 * n_ + 1) * heads_);
  }

  void run() {
    rows_x_ = x_.read();
    rows_b_ = b_.read();
    rows_c_ = c_.read();
    skip_ = d_.read();
    make_steps();
    advance();
  }

 private:
  static constexpr std::int64_t kGrain = 16 * 1024;   ///< floats: below a second thread costs more
  static constexpr std::int64_t kStateFloats = 4096;  ///< of a task

  /// dt and decay of row i.
  float* dt(std::int64_t i) const { return steps_.get() + i * heads_; }
  float* decay(std::int64_t i) const { return dt(n_ + i); }

  void make_steps() {
    const Rows raw = dt_.read();
    const Rows bias = dt_bias_.read();
    const Rows a_log = a_log_.read();
    float* rates = dt(2 * n_);
    for (std::int64_t h = 0; h < heads_; ++h) {
      rates[h] = std::exp(a_log.data[h]);
    }
    for (std::int64_t i = 0; i < n_; ++i) {
      set_->softplus(raw.data + i * raw.row, bias.data, least_dt_, most_dt_, heads_, dt(i));
      set_->decay(dt(i), rates, false, heads_, decay(i));
    }
  }

  void advance() const {
    const std::int64_t block = std::max<std::int64_t>(16, kStateFloats / state_dim_ / 16 * 16);
    const std::int64_t blocks = (head_dim_ + block - 1) / block;
    const std::int64_t tasks = static_cast<std::int64_t>(sequences_.size()) * heads_ * blocks;
    const std::int64_t work = n_ * heads_ * head_dim_ * state_dim_ / tasks;
    parallel_ranges(tasks, 1, kGrain / std::max<std::int64_t>(work, 1) + 1,
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        const std::int64_t first = i % blocks * block;
                        advance(sequences_[static_cast<std::size_t>(i / blocks / heads_)],
                                i / blocks % heads_, first, std::min(block, head_dim_ - first));
                      }
                    });
  }

  /// A sequence's rows through `count` rows of a head's state, from `first` on.
  void advance(const BoundRows& rows, std::int64_t head, std::int64_t first,
               std::int64_t count) const {
    const std::int64_t at = (head * head_dim_ + first) * state_dim_;
    carry_over(rows, at, count * state_dim_);
    const std::int64_t shared = head / (heads_ / groups_) * state_dim_;
    const std::int64_t column = head * head_dim_ + first;
    set_->selective_scan({.state = rows.after + at,
                          .rows = count,
                          .width = state_dim_,
                          .tokens = rows.to - rows.from,
                          .x = rows_x_.data + rows.from * rows_x_.row + column,
                          .x_row = rows_x_.row,
                          .b = rows_b_.data + rows.from * rows_b_.row + shared,
                          .c = rows_c_.data + rows.from * rows_c_.row + shared,
                          .b_row = rows_b_.row,
                          .c_row = rows_c_.row,
                          .dt = dt(rows.from) + head,
                          .decay = decay(rows.from) + head,
                          .dt_row = heads_,
                          .d = skip_.data[head],
                          .y = y_ + rows.from * heads_ * head_dim_ + column,
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
  Rows rows_x_{}, rows_b_{}, rows_c_{}, skip_{};
  std::int64_t head_dim_ = 0;
  std::int64_t state_dim_ = 0;
  std::int64_t n_ = 0;
  std::shared_ptr<float[]> steps_;  ///< dt of each row, then decay, then each head's rate
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
