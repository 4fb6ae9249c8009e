#include "kernels/ops/gated_delta.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <utility>

#include "kernels/bodies/kernel_set.h"
#include "kernels/mlx/operand.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/gated_delta_mlx.h"
#include "kernels/ops/stateful_kernel.h"

namespace convergio::kernels {

namespace {

/// What stateful_op runs. Some rows at a time are prepared (q and k scaled, decay and beta), each
/// head's side by side, then go through the states, of which a task takes what the first-level
/// cache holds.
class DeltaKernel {
 public:
  DeltaKernel(const KernelSet& set, const GatedDelta& layer, std::vector<int> rows)
      : set_(&set),
        k_heads_(layer.k_heads),
        v_heads_(layer.v_heads),
        beta_scale_(layer.beta_scale),
        eps_(layer.eps),
        rows_(std::move(rows)) {}

  /// Inputs are the states, then q, k, v, a, b, a_log and dt_bias.
  void bind(const std::vector<mx::array>& in, std::vector<mx::array>& outs) {
    sequences_ = bind_states(rows_, in, outs);
    const auto* other = in.data() + rows_.size();
    for (RowsOperand* operand : {&q_, &k_, &v_, &a_, &b_, &a_log_, &dt_bias_}) {
      *operand = RowsOperand(*other++);
    }
    allocate(outs[0]);
    y_ = outs[0].data<float>();
    d_k_ = q_.shape().width / k_heads_;
    d_v_ = v_.shape().width / v_heads_;
    decays_ = a_.shape().width;
    const std::int64_t window = std::min(kWindow, q_.shape().n);
    prepared_ = aligned_floats(2 * d_k_ + v_heads_ + window * row_floats());
    lengths_ = prepared_.get();
    rates_ = lengths_ + 2 * d_k_;
    keys_ = rates_ + v_heads_;
  }

  void run() {
    read();
    for_windows(
        sequences_, rows_q_.n, kWindow, row_floats(),
        {.heads = v_heads_, .rows = d_v_, .width = d_k_},
        [&](std::int64_t row, std::int64_t i, std::int64_t n) { prepare(row, i, n); },
        [&](const StateBlock& block, std::int64_t from, std::int64_t n) {
          advance(block, from, n);
        });
  }

 private:
  static constexpr std::int64_t kWindow = 64;  ///< rows prepared at a time

  /// The floats that are prepared for a row.
  std::int64_t row_floats() const { return 2 * k_heads_ * d_k_ + v_heads_ * (d_v_ + 1) + decays_; }

  void read() {
    rows_q_ = q_.read();
    rows_k_ = k_.read();
    rows_v_ = v_.read();
    rows_a_ = a_.read();
    rows_b_ = b_.read();
    bias_ = dt_bias_.read();
    const Rows a_log = a_log_.read();
    for (std::int64_t h = 0; h < v_heads_; ++h) {
      rates_[h] = std::exp(a_log.data[h]);
    }
    // the norm divides by the root of the mean, so that q and k are their length's root too large
    const float length = 1.0F / std::sqrt(static_cast<float>(d_k_));
    std::fill_n(lengths_, d_k_, length);
    std::fill_n(lengths_ + d_k_, d_k_, length * length);
  }

  /// Where q (0) or k (1) of a key head, v of a value head, decay and beta of row i of a window of
  /// n lie.
  float* key(std::int64_t which, std::int64_t head, std::int64_t i, std::int64_t n) const {
    return keys_ + ((which * k_heads_ + head) * n + i) * d_k_;
  }
  float* value(std::int64_t head, std::int64_t i, std::int64_t n) const {
    return key(2, 0, 0, n) + (head * n + i) * d_v_;
  }
  float* decay(std::int64_t i, std::int64_t n) const { return value(v_heads_, 0, n) + i * decays_; }
  float* beta(std::int64_t i, std::int64_t n) const { return decay(n, n) + i * v_heads_; }

  /// Row `row` of the pass, which is row i of a window of n.
  void prepare(std::int64_t row, std::int64_t i, std::int64_t n) const {
    const float eps = eps_ / static_cast<float>(d_k_);
    for (std::int64_t h = 0; h < k_heads_; ++h) {
      set_->rms_norm(rows_q_.data + row * rows_q_.row + h * d_k_, lengths_ + d_k_, eps, d_k_,
                     key(0, h, i, n));
      set_->rms_norm(rows_k_.data + row * rows_k_.row + h * d_k_, lengths_, eps, d_k_,
                     key(1, h, i, n));
    }
    for (std::int64_t h = 0; h < v_heads_; ++h) {
      std::copy_n(rows_v_.data + row * rows_v_.row + h * d_v_, d_v_, value(h, i, n));
    }
    float* decays = decay(i, n);
    set_->softplus(rows_a_.data + row * rows_a_.row, bias_.data, 0.0F, INFINITY, decays_, decays);
    if (decays_ == v_heads_) {
      set_->decay(decays, rates_, false, decays_, decays);
    } else {
      for (std::int64_t h = 0; h < v_heads_; ++h) {
        set_->decay(decays + h * d_k_, rates_ + h, true, d_k_, decays + h * d_k_);
      }
    }
    float* betas = beta(i, n);
    set_->gated(rows_b_.data + row * rows_b_.row, nullptr, Activation::Sigmoid, v_heads_, betas);
    for (std::int64_t h = 0; h < v_heads_; ++h) {
      betas[h] *= beta_scale_;
    }
  }

  /// A block's tokens through its value rows. The window begins at row `from` of the pass and has n
  /// rows.
  void advance(const StateBlock& block, std::int64_t from, std::int64_t n) const {
    const BoundRows& rows = block.tokens;
    const std::int64_t head = block.head;
    const std::int64_t i = rows.from - from;
    const std::int64_t key_head = head / (v_heads_ / k_heads_);
    const std::int64_t column = head * d_v_ + block.first;
    set_->gated_delta({.state = rows.after + block.at,
                       .rows = block.rows,
                       .width = d_k_,
                       .tokens = rows.to - rows.from,
                       .q = key(0, key_head, i, n),
                       .k = key(1, key_head, i, n),
                       .key_row = d_k_,
                       .v = value(head, i, n) + block.first,
                       .v_row = d_v_,
                       .decay = decay(i, n) + head * (decays_ / v_heads_),
                       .decay_row = decays_,
                       .decay_by_number = decays_ != v_heads_,
                       .beta = beta(i, n) + head,
                       .beta_row = v_heads_,
                       .y = y_ + rows.from * v_heads_ * d_v_ + column,
                       .y_row = v_heads_ * d_v_});
  }

  const KernelSet* set_;
  std::int64_t k_heads_;
  std::int64_t v_heads_;
  float beta_scale_;
  float eps_;
  std::vector<int> rows_;
  std::vector<BoundRows> sequences_;
  RowsOperand q_, k_, v_, a_, b_, a_log_, dt_bias_;
  Rows rows_q_{}, rows_k_{}, rows_v_{}, rows_a_{}, rows_b_{}, bias_{};
  std::int64_t d_k_ = 0;
  std::int64_t d_v_ = 0;
  std::int64_t decays_ = 0;  ///< of a row
  std::shared_ptr<float[]> prepared_;
  float* lengths_ = nullptr;  ///< what k is multiplied by, then q
  float* rates_ = nullptr;
  float* keys_ = nullptr;  ///< q, k and v, head by head, then decays, then beta
  float* y_ = nullptr;
};

bool all_floats(const GatedDeltaRows& rows) {
  return std::ranges::all_of(std::array{&rows.q, &rows.k, &rows.v, &rows.a, &rows.b},
                             [](const mx::array* a) { return a->dtype() == mx::float32; });
}

}  // namespace

GatedDeltaRows GatedDeltaRows::between(int from, int to) const {
  if (to - from == q.shape(0)) {
    return *this;
  }
  return {.q = rows_between(q, from, to),
          .k = rows_between(k, from, to),
          .v = rows_between(v, from, to),
          .a = rows_between(a, from, to),
          .b = rows_between(b, from, to)};
}

WithStates gated_delta(const GatedDeltaRows& rows, std::vector<StatefulRows> sequences,
                       const GatedDelta& layer) {
  const int n = rows.q.shape(0);
  check_states("gated_delta", sequences, n,
               {layer.v_heads, rows.v.shape(1) / layer.v_heads, rows.q.shape(1) / layer.k_heads});
  if (!own_kernels() || !all_floats(rows)) {
    return mlx_gated_delta(rows, sequences, layer);
  }
  DeltaKernel kernel(kernel_set(active_isa()), layer, rows_of_each(sequences));
  return stateful_op("gated_delta", {n, rows.v.shape(1)}, std::move(sequences),
                     {rows.q, rows.k, rows.v, rows.a, rows.b, layer.a_log, layer.dt_bias},
                     std::move(kernel));
}

}  // namespace convergio::kernels
