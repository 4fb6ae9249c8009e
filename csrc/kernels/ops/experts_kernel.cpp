#include "kernels/ops/experts_kernel.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include "kernels/cpu/pool.h"
#include "kernels/mlx/primitive.h"

namespace convergio::kernels {

namespace {

constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kMostRows = 512;        // at a time: bounds the memory that is worked with
constexpr std::int64_t kStep = kInt16Outputs;  // of outputs: suits every kernel

std::int64_t round_up(std::int64_t count, std::int64_t step) {
  return (count + step - 1) / step * step;
}

}  // namespace

ExpertsKernel::ExpertsKernel(std::shared_ptr<const ExpertTable> table,
                             const formats::Experts& config, Activation activation, bool adds)
    : set_(kernel_set(active_isa())),
      table_(std::move(table)),
      config_(config),
      activation_(activation),
      adds_(adds) {}

void ExpertsKernel::bind(const std::vector<mx::array>& inputs, mx::array& out) {
  x_ = RowsOperand(inputs[0]);
  logits_ = RowsOperand(inputs[1]);
  if (adds_) {
    donate(inputs[2], out);
    addend_ = RowsOperand(inputs[2]);
  } else {
    allocate(out);
  }
  y_ = out.data<float>();
  const Weights& in = table_->gate.front().weights;
  const Weights& out_of = table_->down.front().weights;
  hidden_width_ = out_of.rows;
  const std::int64_t rows = std::min(x_.shape().n, kMostRows);
  const std::int64_t places = rows * config_.router.chosen;
  row_floats_ = round_up(std::max({Product::most_row_floats(in), Product::most_row_floats(out_of),
                                   in.cols, out_of.cols}),
                         16);
  const auto count = static_cast<std::size_t>(places);
  route_work_.resize(static_cast<std::size_t>(route_work(config_.router)));
  choices_.resize(count);
  places_.resize(count);
  rows_.resize(count);
  weights_.resize(count);
  starts_.resize(static_cast<std::size_t>(config_.router.experts) + 1);
  groups_.reserve(std::min(count, starts_.size()));
  prepacked_ = aligned_floats(places * row_floats_);
  hidden_ = aligned_floats(places * in.rows);
  outputs_ = aligned_floats(places * hidden_width_);
}

void ExpertsKernel::run() {
  const Rows x = x_.read();
  const Rows logits = logits_.read();
  if (adds_) {
    added_ = addend_.read();
  }
  for (std::int64_t from = 0; from < x.n; from += kMostRows) {
    const std::int64_t n = std::min(kMostRows, x.n - from);
    route(logits, from, n);
    group(n);
    const auto* up = table_->up.empty() ? nullptr : &table_->up;
    run_stage({.matrices = &table_->gate,
               .others = up,
               .in = x.data + from * x.row,
               .in_stride = x.row,
               .scattered = true,
               .out = hidden_.get(),
               .width = config_.width,
               .activated = !config_.gated});
    run_stage({.matrices = &table_->down,
               .others = nullptr,
               .in = hidden_.get(),
               .in_stride = config_.width,
               .scattered = false,
               .out = outputs_.get(),
               .width = hidden_width_});
    combine(from, n);
  }
}

void ExpertsKernel::route(const Rows& logits, std::int64_t from, std::int64_t n) {
  const auto& correction = table_->weights.correction;
  const auto& scales = table_->weights.scales;
  for (std::int64_t i = 0; i < n; ++i) {
    route_row(config_.router, logits.data + (from + i) * logits.row,
              correction ? correction->data<float>() : nullptr, route_work_.data(),
              choices_.data() + i * config_.router.chosen);
  }
  if (scales) {
    for (Choice& choice :
         std::span(choices_).first(static_cast<std::size_t>(n * config_.router.chosen))) {
      choice.weight *= scales->data<float>()[choice.expert];
    }
  }
}

/// Sorts the choices by expert, those of one by row.
void ExpertsKernel::group(std::int64_t n) {
  const std::int64_t chosen = config_.router.chosen;
  std::fill(starts_.begin(), starts_.end(), 0);
  for (std::int64_t i = 0; i < n * chosen; ++i) {
    ++starts_[static_cast<std::size_t>(choices_[static_cast<std::size_t>(i)].expert) + 1];
  }
  groups_.clear();
  for (int e = 0; e < config_.router.experts; ++e) {
    const auto at = static_cast<std::size_t>(e);
    if (starts_[at + 1] > 0) {
      groups_.push_back({e, starts_[at], starts_[at + 1]});
    }
    starts_[at + 1] += starts_[at];
  }
  for (std::int64_t i = 0; i < n * chosen; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t place = starts_[static_cast<std::size_t>(choices_[at].expert)]++;
    places_[at] = place;
    rows_[static_cast<std::size_t>(place)] = i / chosen;
    weights_[static_cast<std::size_t>(place)] = choices_[at].weight;
  }
}

void ExpertsKernel::run_stage(const Stage& stage) {
  const Weights& layout = stage.matrices->front().weights;
  prepack(stage, layout);
  const auto groups = static_cast<std::int64_t>(groups_.size());
  std::int64_t grain = kStep;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  for (const Group& group : groups_) {
    const Product product(layout, group.n);
    grain = std::max(grain, product.grain());
    most = std::min(most, product.most());
  }
  most /= layout.rows / stage.width;
  const std::int64_t wanted = range_size(groups * stage.width, kStep, grain);
  const std::int64_t pieces =
      (stage.width - 1) / std::min({wanted, most, round_up(stage.width, kStep)}) + 1;
  const std::int64_t size = round_up((stage.width + pieces - 1) / pieces, kStep);
  parallel(groups * pieces, [&](std::int64_t i) {
    const std::int64_t begin = i % pieces * size;
    if (begin < stage.width) {
      compute(stage, groups_[static_cast<std::size_t>(i / pieces)], begin,
              std::min(begin + size, stage.width), size);
    }
  });
}

/// What a place is given: a row of the stage's, by its weight where that comes first.
const float* ExpertsKernel::input(const Stage& stage, std::int64_t place, std::int64_t cols) const {
  if (!stage.scattered) {
    return stage.in + place * stage.in_stride;
  }
  const auto at = static_cast<std::size_t>(place);
  const float* row = stage.in + rows_[at] * stage.in_stride;
  if (!config_.weighs_input) {
    return row;
  }
  auto* weighed = static_cast<float*>(scratch(cols * kFloat));
  std::transform(row, row + cols, weighed, [&](float x) { return x * weights_[at]; });
  return weighed;
}

/// Rows by place, as the kernel of each group reads them.
void ExpertsKernel::prepack(const Stage& stage, const Weights& layout) {
  parallel(static_cast<std::int64_t>(groups_.size()), [&](std::int64_t g) {
    const Group& group = groups_[static_cast<std::size_t>(g)];
    const Product product(layout, group.n);
    float* memory = prepacked_.get() + group.first * row_floats_;
    for (std::int64_t i = 0; i < group.n; ++i) {
      const float* in = input(stage, group.first + i, layout.cols);
      if (product.prepacked_floats() > 0) {
        product.prepack(in, i, memory);
      } else {
        std::copy_n(in, layout.cols, memory + i * row_floats_);
      }
    }
  });
}

/// Outputs [begin, end) of a group, with bias and gate or activation.
void ExpertsKernel::compute(const Stage& stage, const Group& group, std::int64_t begin,
                            std::int64_t end, std::int64_t size) const {
  const Weights& layout = stage.matrices->front().weights;
  const Product product(layout, group.n);
  const std::int64_t width = end - begin;
  const std::int64_t floats = group.n * size;
  const std::int64_t work_bytes = product.work_bytes();
  auto* work = static_cast<std::uint8_t*>(scratch(work_bytes + 4 * floats * kFloat));
  auto* out = reinterpret_cast<float*>(work + work_bytes);
  float* up = out + floats;
  const float* x = prepacked_.get() + group.first * row_floats_;
  const auto multiply = [&](const BoundLinear& matrix, std::int64_t each, const RowsAfter& after,
                            float* y) {
    product.run(matrix, x, row_floats_, each * begin, each * end, after, work, y);
  };
  const auto expert = static_cast<std::size_t>(group.expert);
  const bool in_turns = layout.rows > stage.width;
  if (in_turns) {
    float* both = up + floats;
    multiply((*stage.matrices)[expert], 2, {}, both);
    for (std::int64_t i = 0; i < group.n * width; ++i) {
      out[i] = both[2 * i];
      up[i] = both[2 * i + 1];
    }
  } else {
    const RowsAfter after =
        stage.others == nullptr ? RowsAfter{} : RowsAfter{&(*stage.others)[expert].weights, begin};
    multiply((*stage.matrices)[expert], 1, after, out);
  }
  if (stage.others != nullptr) {
    multiply((*stage.others)[expert], 1, {}, up);
  }
  if (in_turns || stage.others != nullptr) {
    if (config_.swiglu_limit > 0.0F) {
      set_.clamped_swiglu(out, up, config_.swiglu_alpha, config_.swiglu_limit, group.n * width,
                          out);
    } else {
      set_.gated(out, up, activation_, group.n * width, out);
    }
  } else if (stage.activated) {
    set_.gated(out, nullptr, activation_, group.n * width, out);
  }
  for (std::int64_t i = 0; i < group.n; ++i) {
    std::copy_n(out + i * width, width, stage.out + (group.first + i) * stage.width + begin);
  }
}

/// Each row's experts by their weights, in the row's order, onto what is added to.
void ExpertsKernel::combine(std::int64_t from, std::int64_t n) const {
  constexpr std::int64_t kGrain = 16 * 1024;  // floats: below that a second thread costs more
  const std::int64_t chosen = config_.router.chosen;
  const std::int64_t width = hidden_width_;
  parallel_ranges(n, 1, kGrain / (width * chosen) + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float* y = y_ + (from + i) * width;
      auto* sums = static_cast<float*>(scratch(width * kFloat));
      std::fill_n(sums, width, 0.0F);
      for (std::int64_t j = i * chosen; j < (i + 1) * chosen; ++j) {
        const auto at = static_cast<std::size_t>(j);
        const float weight = config_.weighs_input ? 1.0F : choices_[at].weight;
        const float* part = outputs_.get() + places_[at] * width;
        for (std::int64_t r = 0; r < width; ++r) {
          sums[r] += weight * part[r];
        }
      }
      const float* added = adds_ ? added_.data + (from + i) * added_.row : nullptr;
      for (std::int64_t r = 0; r < width; ++r) {
        y[r] = added == nullptr ? sums[r] : added[r] + sums[r];
      }
    }
  });
}

}  // namespace convergio::kernels
