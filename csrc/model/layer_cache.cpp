#include "model/layer_cache.h"

#include <algorithm>
#include <utility>

#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/kv_append.h"
#include "mlx/ops.h"

namespace convergio::model {

namespace {

constexpr int kFirstCapacity = 64;
constexpr int kSlack = 32;  ///< rows that a copy can be rewound: what a template puts last, say

/// Not filled: pages nobody writes to take no memory on most systems.
mx::array empty(const mx::Shape& shape, mx::Dtype dtype) {
  std::size_t bytes = mx::size_of(dtype);
  for (const auto dim : shape) {
    bytes *= static_cast<std::size_t>(dim);
  }
  return mx::array(kernels::memory(bytes), shape, dtype);
}

}  // namespace

LayerCache::LayerCache(int kv_heads, int head_dim, formats::Reach reach, mx::Dtype dtype,
                       int latent, int step)
    : keys_(empty({1, kv_heads, 0, head_dim}, dtype)), latent_(latent), reach_(reach), step_(step) {
  if (latent == 0) {
    values_ = empty({1, kv_heads, 0, head_dim}, dtype);
  }
}

int LayerCache::seen_before(int length, int position) const {
  return length - static_cast<int>(formats::oldest_seen(reach_, position));
}

int LayerCache::needed_behind(int rows) const {
  const int length = dropped_ + rows;
  return std::min(rows, seen_before(length, length));
}

void LayerCache::move_rows(int from, int capacity) {
  const auto moved = [&](const mx::array& old) {
    mx::array fresh = empty({1, old.shape(1), capacity, old.shape(3)}, old.dtype());
    if (rows_ == from) {
      return fresh;
    }
    const mx::array kept = kernels::rows_between(old, from, rows_);
    return mx::slice_update(fresh, kept, mx::Shape{0, 0, 0, 0},
                            mx::Shape{1, old.shape(1), rows_ - from, old.shape(3)});
  };
  mx::array keys = moved(keys_);
  if (values_) {
    values_ = moved(*values_);
  }
  keys_ = std::move(keys);
  rows_ -= from;
  dropped_ += from;
}

void LayerCache::make_room(int rows) {
  const int capacity = keys_.shape(2);
  if (rows_ + rows <= capacity) {
    return;
  }
  const int kept = needed_behind(rows_);
  int wanted = step_ > 0 ? (rows_ + rows + step_ - 1) / step_ * step_
                         : std::max(2 * capacity, kFirstCapacity);
  if (window() > 0) {
    wanted = std::min(wanted, 2 * window());  // so that a row is moved once a window at most
  }
  wanted = std::max({wanted, capacity, kept + rows});
  move_rows(rows_ + rows > wanted ? rows_ - kept : 0, wanted);
}

void LayerCache::reserve(int rows) {
  if (step_ > 0) {
    return;
  }
  const int most = window() > 0 ? std::max(rows_, 2 * window()) : rows_ + rows;
  const int wanted = std::min(rows_ + rows, most);
  if (wanted > keys_.shape(2)) {
    move_rows(0, wanted);
  }
}

std::pair<mx::array, mx::array> LayerCache::append(const mx::array& keys, const mx::array& values) {
  const int n = keys.shape(2);
  make_room(n);
  keys_ = kernels::kv_append(std::move(keys_), keys, rows_);
  values_ = kernels::kv_append(*std::move(values_), values, rows_);
  rows_ += n;
  return seen_by(n);
}

std::pair<mx::array, mx::array> LayerCache::append_latent(const mx::array& values,
                                                          const mx::array& rest) {
  const int n = values.shape(2);
  make_room(n);
  keys_ = kernels::kv_append(std::move(keys_), values, rows_);
  keys_ = kernels::kv_append(std::move(keys_), rest, rows_, latent_);
  rows_ += n;
  return seen_by(n);
}

std::pair<mx::array, mx::array> LayerCache::seen_by(int n) const {
  const int first = rows_ - n - needed_behind(rows_ - n);
  const mx::array keys = kernels::rows_between(keys_, first, rows_);
  return {keys, values_ ? kernels::rows_between(*values_, first, rows_)
                        : kernels::part_of_rows(keys, 0, latent_)};
}

bool LayerCache::rewind(int length) {
  const int rows = length - dropped_;
  if (rows > rows_ || rows < seen_before(length, length)) {
    return false;
  }
  rows_ = rows;
  return true;
}

int LayerCache::worth_copying() const {
  const int slack = std::min({kSlack, reach_.window, length()});
  return std::min(rows_, seen_before(length(), length() - slack));
}

void LayerCache::own(int rows) {
  const int kept = worth_copying();
  const int most = window() > 0 ? 2 * window() : kept + rows;
  move_rows(rows_ - kept, std::min(kept + rows, most));
}

LayerCache LayerCache::newest() const {
  const int kept = worth_copying();
  LayerCache copy = *this;
  copy.move_rows(rows_ - kept, kept + 1);  // a buffer just as large would be a view of this one
  return copy;
}

int LayerCache::rows_of_newest(int window) {
  return window > 0 ? window + std::min(kSlack, window) + 1 : 0;
}

std::vector<mx::array> LayerCache::arrays() const {
  return values_ ? std::vector{keys_, *values_} : std::vector{keys_};
}

std::size_t LayerCache::bytes() const { return keys_.nbytes() + (values_ ? values_->nbytes() : 0); }

}  // namespace convergio::model
