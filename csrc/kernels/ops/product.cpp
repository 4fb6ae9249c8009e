#include "kernels/ops/product.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/cpu/isa.h"
#include "kernels/cpu/precision.h"
#include "kernels/ops/matrix.h"

namespace convergio::kernels {

namespace {

constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kMostRows = 512;          // at a time: bounds the memory of a piece
constexpr std::int64_t kMostOutputs = 128;       // of a piece with many rows: the same
constexpr std::int64_t kPieceBytes = 16 * 1024;  // of weights, at least, times many rows

const Int16Set* int16_for(const Weights& layout) {
  return exact() ? nullptr : int16_set(active_isa(), layout);
}

/// The most rows that gemv takes.
std::int64_t few_rows(const Int16Set* int16) {
  return int16 != nullptr ? int16->gemv_rows : kFewRows;
}

/// Of a row quantized for many: its bytes, a scale and a sum for each group.
std::int64_t quantized_floats(const Weights& layout) {
  return layout.cols / 2 + 2 * (layout.cols / layout.group);
}

}  // namespace

BoundLinear rows_of(const BoundLinear& whole, std::int64_t begin, std::int64_t end) {
  return {rows_of(whole.weights, begin, end),
          whole.bias == nullptr ? nullptr : whole.bias + begin * kFloat};
}

Product::Product(const Weights& layout, std::int64_t n, std::int64_t all)
    : set_(kernel_set(active_isa())),
      int16_(int16_for(layout)),
      layout_(layout),
      n_(n),
      many_(all > few_rows(int16_)) {
  row_floats_ = int16_matmul() ? quantized_floats(layout) : gemv().prepacked_floats(layout);
}

std::int64_t Product::most_row_floats(const Weights& layout) {
  return std::max(Product(layout, 1).prepacked_floats(), Product(layout, kFewRows + 1).row_floats_);
}

Int16Rows Product::int16_rows(float* memory) const {
  float* scales = memory + n_ * layout_.cols / 2;
  return {reinterpret_cast<std::int8_t*>(memory), scales,
          scales + n_ * (layout_.cols / layout_.group), n_};
}

void Product::prepack(const float* x, std::int64_t i, float* memory) const {
  if (int16_matmul()) {
    int16_->quantize_row(layout_, x, i, int16_rows(memory));
  } else {
    gemv().prepack(layout_, x, memory + i * row_floats_);
  }
}

std::int64_t Product::step() const {
  return !many_ ? 1 : int16_matmul() ? kInt16Outputs : panel_rows(layout_);
}

std::int64_t Product::grain() const {
  return kPieceBytes / (row_bytes(layout_) * (many_ ? n_ : 1)) + 1;
}

std::int64_t Product::most() const {
  return !many_              ? std::numeric_limits<std::int64_t>::max()
         : int16_ != nullptr ? int16_->most.outputs
                             : kMostOutputs;
}

std::int64_t Product::rows_at_a_time(const Weights& layout, std::int64_t all) {
  constexpr std::int64_t kTile = 16;  // rows: a multiple of what every kernel takes, or near it
  const Int16Set* int16 = int16_for(layout);
  const std::int64_t most = int16 != nullptr ? int16->most.rows : kMostRows;
  const std::int64_t times = (all + most - 1) / most;
  return times < 2 ? all : ((all + times - 1) / times + kTile - 1) / kTile * kTile;
}

std::int64_t Product::work_bytes() const {
  const std::int64_t bytes =
      int16_matmul() ? kInt16Work : linear_work(layout_, many_ ? kFewRows + 1 : 1) * kFloat;
  return (bytes + 63) / 64 * 64;
}

void Product::run(const BoundLinear& linear, const float* x, std::int64_t x_stride,
                  std::int64_t begin, std::int64_t end, const RowsAfter& after, void* work,
                  float* out) const {
  const std::int64_t width = end - begin;
  if (int16_matmul()) {
    // of what prepack wrote, read only
    int16_->matmul(linear.weights, int16_rows(const_cast<float*>(x)), out, width, begin, end, after,
                   work);
  } else {
    const LinearPiece piece{x,     row_floats_ > 0 ? row_floats_ : x_stride,
                            n_,    out,
                            width, begin,
                            end,   static_cast<float*>(work)};
    (many_ ? set_.matmul : gemv().run)(linear.weights, piece);
  }
  for (std::int64_t i = 0; linear.bias != nullptr && i < n_; ++i) {
    for (std::int64_t r = 0; r < width; ++r) {
      float bias;
      std::memcpy(&bias, linear.bias + (begin + r) * kFloat, sizeof(bias));
      out[i * width + r] += bias;
    }
  }
}

}  // namespace convergio::kernels
