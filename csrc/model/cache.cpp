#include "model/cache.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "io/error.h"
#include "kernels/mlx/policy.h"
#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/kv_append.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::model {

namespace {

constexpr int kFirstCapacity = 64;
constexpr int kSlack = 32;  ///< rows that a copy can be rewound: what a template puts last, say

void add_arrays(const LayerCache& layer, std::vector<mx::array>& all) {
  std::ranges::move(layer.arrays(), std::back_inserter(all));
}

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

std::vector<mx::array> LayerCache::arrays() const {
  return values_ ? std::vector{keys_, *values_} : std::vector{keys_};
}

std::size_t LayerCache::bytes() const { return keys_.nbytes() + (values_ ? values_->nbytes() : 0); }

std::size_t WindowSnapshot::bytes() const {
  std::size_t total = 0;
  for (const LayerCache& layer : layers) {
    total += layer.bytes();
  }
  return total;
}

Cache::Cache(const arch::ModelSpec& spec, mx::Dtype dtype, int length)
    : ropes_(std::make_shared<const std::vector<arch::Rope>>(spec.config.ropes)),
      key_(arch::table_key(*ropes_, length)),
      first_key_(key_) {
  for (const arch::LayerSpec& layer : spec.layers) {
    const arch::LayerConfig& sizes = layer.config;
    if (sizes.shares_keys()) {
      places_.push_back(places_[static_cast<std::size_t>(sizes.kv_from)]);
      continue;
    }
    places_.push_back(static_cast<int>(layers_.size()));
    layers_.emplace_back(sizes.kv_heads, sizes.head_dim, sizes.reach(), dtype, sizes.latent.rank,
                         kernels::policy().kv_step);
  }
  make_tables(length);
}

void Cache::make_tables(int length) {
  rotary_.clear();
  for (const arch::Rope& rope : *ropes_) {
    const arch::RopeTable table = arch::rope_table(rope, length);
    rotary_.push_back(
        {mx::array(table.periods.begin(), {static_cast<int>(table.periods.size())}, mx::float32),
         table.magnitude});
  }
}

bool Cache::rotate_for(int length) {
  const int key = arch::table_key(*ropes_, length);
  const bool all_alike = length_ <= rotated_alike_;
  if (length_ > 0 && key != first_key_ && all_alike && arch::recomputes_keys(*ropes_)) {
    return false;
  }
  if (length_ == 0) {
    first_key_ = key;
  }
  if (all_alike) {
    rotated_alike_ = key == first_key_ ? std::numeric_limits<int>::max() : length_;
  }
  if (key != key_) {
    key_ = key;
    make_tables(length);
  }
  return true;
}

void Cache::reserve(int tokens) {
  for (LayerCache& layer : layers_) {
    layer.reserve(tokens);
  }
}

void Cache::make_room(int tokens) {
  for (LayerCache& layer : layers_) {
    layer.make_room(tokens);
  }
}

void Cache::rollback() {
  for (LayerCache& layer : layers_) {
    if (!layer.rewind(length_)) {
      throw Error(ErrorKind::Internal, "[cache] a layer dropped rows of an unfinished forward.");
    }
  }
}

bool Cache::trim(int length, const WindowSnapshot* snapshot) {
  if (length < 0 || length > length_) {
    return false;
  }
  std::vector<LayerCache> trimmed = layers_;
  std::size_t sliding = 0;
  for (LayerCache& layer : trimmed) {
    const std::size_t index = sliding;
    sliding += layer.window() > 0 ? 1 : 0;
    if (layer.rewind(length)) {
      continue;
    }
    if (snapshot == nullptr || layer.window() == 0) {
      return false;
    }
    layer = snapshot->layers[index];
    if (!layer.rewind(length)) {
      return false;
    }
  }
  layers_ = std::move(trimmed);
  length_ = length;
  return true;
}

void Cache::own(int tokens) {
  for (LayerCache& layer : layers_) {
    layer.own(tokens);
  }
}

WindowSnapshot Cache::window_snapshot() const {
  WindowSnapshot copy{.length = length_, .layers = {}};
  std::vector<mx::array> pending;
  for (const LayerCache& layer : layers_) {
    if (layer.window() > 0) {
      copy.layers.push_back(layer.newest());
      add_arrays(copy.layers.back(), pending);
    }
  }
  // at once: what still is to be read from cannot be appended to in place
  mx::async_eval(pending);
  return copy;
}

int Cache::lossless_length() const {
  int length = std::numeric_limits<int>::max();
  for (const LayerCache& layer : layers_) {
    if (layer.window() > 0) {
      length = std::min(length, 2 * layer.window());
    }
  }
  return length;
}

std::size_t Cache::bytes() const {
  std::size_t total = 0;
  for (const LayerCache& layer : layers_) {
    total += layer.bytes();
  }
  return total;
}

std::vector<mx::array> Cache::arrays() const {
  std::vector<mx::array> all;
  for (const LayerCache& layer : layers_) {
    add_arrays(layer, all);
  }
  return all;
}

}  // namespace convergio::model
