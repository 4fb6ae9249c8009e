#include "kernels/ops/attention.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "kernels/bodies/kernel_set.h"
#include "kernels/cpu/pool.h"
#include "kernels/mlx/operand.h"
#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/attention_kernel.h"
#include "kernels/ops/attention_mlx.h"
#include "kernels/ops/kv_append.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

KeysOrValues view_of(const mx::array& a) {
  if (a.strides(3) != 1 && a.shape(3) != 1) {
    throw std::invalid_argument("[attention] the numbers of a key are " +
                                std::to_string(a.strides(3)) +
                                " apart; pass keys and values with their numbers side by side.");
  }
  const auto size = static_cast<std::int64_t>(a.itemsize());
  return {a.data<std::uint8_t>(), *type_of(a.dtype()), a.strides(1) * size, a.strides(2) * size};
}

/// What cpu_op runs: the pieces of all sequences together.
class AttentionKernel {
 public:
  AttentionKernel(const KernelSet& set, const AttentionOptions& options,
                  const std::vector<SeenKeys>& seen)
      : set_(set), options_(options) {
    for (const SeenKeys& one : seen) {
      places_.push_back({one.rows, one.first_key});
    }
  }

  /// Inputs are q, keys and values of each sequence, and the sinks where there are any.
  void bind(const std::vector<mx::array>& in, mx::array& out) {
    allocate(out);
    y_ = out.data<float>();
    q_ = RowsOperand(in[0]);
    for (std::size_t i = 0; i < places_.size(); ++i) {
      sequences_.emplace_back(set_, shape_of(in[2 * i + 1], in[2 * i + 2], places_[i]),
                              static_cast<std::int64_t>(places_.size()));
    }
    row_floats_ = out.shape(1);
    if (in.size() > 2 * places_.size() + 1) {
      sinks_ = RowsOperand(in.back());
    }
  }

  void run() {
    const Rows q = q_.read();
    const float* sinks = sinks_ ? sinks_->read().data : nullptr;
    std::int64_t row = 0;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      sequences_[i].set_rows(q.data + row * q.row, q.row, q.head, sinks, y_ + row * row_floats_);
      row += places_[i].rows;
    }
    run_all(&SequenceAttention::pieces, &SequenceAttention::attend);
    run_all(&SequenceAttention::merges, &SequenceAttention::merge_tile);
  }

 private:
  /// Where a sequence's rows and keys stand.
  struct Place {
    int rows;
    int first_key;
  };

  Attention shape_of(const mx::array& keys, const mx::array& values, const Place& place) const {
    const Rows& q = q_.shape();
    return {.q = nullptr,
            .q_row = 0,
            .q_head = 0,
            .keys = view_of(keys),
            .values = view_of(values),
            .n = place.rows,
            .m = keys.shape(2),
            .first_key = place.first_key,
            .heads = q.heads,
            .kv_heads = keys.shape(1),
            .key_dim = q.width,
            .value_dim = values.shape(3),
            .scale = options_.scale,
            .temperature_beta = options_.temperature_beta,
            .temperature_period = options_.temperature_period,
            .temperature_offset = options_.temperature_offset,
            .softcap = options_.softcap,
            .reach = options_.reach};
  }

  /// Does `work` of each sequence as often as it `counts`, shared among the threads.
  void run_all(std::int64_t (SequenceAttention::*counts)() const,
               void (SequenceAttention::*work)(std::int64_t) const) const {
    std::int64_t all = 0;
    for (const SequenceAttention& one : sequences_) {
      all += (one.*counts)();
    }
    parallel(all, [&](std::int64_t index) {
      auto one = sequences_.begin();
      for (; index >= ((*one).*counts)(); ++one) {
        index -= ((*one).*counts)();
      }
      ((*one).*work)(index);
    });
  }

  const KernelSet& set_;
  AttentionOptions options_;
  std::vector<Place> places_;
  RowsOperand q_;
  std::optional<RowsOperand> sinks_;
  std::vector<SequenceAttention> sequences_;
  std::int64_t row_floats_ = 0;  ///< of the result
  float* y_ = nullptr;
};

mx::array by_mlx(const mx::array& q, const std::vector<SeenKeys>& seen,
                 const AttentionOptions& options, const std::optional<mx::array>& sinks) {
  std::vector<mx::array> mixed;
  int from = 0;
  for (const SeenKeys& one : seen) {
    mixed.push_back(mlx_attention(rows_between(q, from, from + one.rows), one.keys, one.values,
                                  options, one.first_key, sinks));
    from += one.rows;
  }
  return mixed.size() == 1 ? mixed[0] : mx::concatenate(mixed, 0);
}

}  // namespace

mx::array attention(const mx::array& q, std::vector<SeenKeys> seen, const AttentionOptions& options,
                    const std::optional<mx::array>& sinks) {
  const bool readable = std::ranges::all_of(seen, [](const SeenKeys& one) {
    return is_cache_type(one.keys) && one.keys.dtype() == one.values.dtype();
  });
  if (!own_kernels(q) || !readable) {
    return by_mlx(q, seen, options, sinks);
  }
  const int width = q.shape(1) * seen.front().values.shape(3);
  AttentionKernel kernel(kernel_set(active_isa()), options, seen);
  std::vector<mx::array> inputs{q};
  for (SeenKeys& one : seen) {
    inputs.push_back(std::move(one.keys));
    inputs.push_back(std::move(one.values));
  }
  if (sinks) {
    inputs.push_back(*sinks);
  }
  return cpu_op("attention", {q.shape(2), width}, mx::float32, std::move(inputs),
                std::move(kernel));
}

mx::array attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                    const AttentionOptions& options, int first_key,
                    const std::optional<mx::array>& sinks) {
  return attention(q, {{q.shape(2), keys, values, first_key}}, options, sinks);
}

}  // namespace convergio::kernels
