#include "model/cache.h"

#include <algorithm>
#include <limits>

#include "arch/rope.h"
#include "io/error.h"
#include "kernels/attention.h"
#include "kernels/primitive.h"
#include "kernels/view.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::model {

namespace {

constexpr int kFirstCapacity = 64;
constexpr int kSlack = 32;  ///< rows that a copy can be rewound: what a template puts last, say

void add_arrays(const LayerCache& layer, std::vector<mx::array>& all) {
  all.push_back(layer.keys());
  all.push_back(layer.values());
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

LayerCache::LayerCache(int kv_heads, int head_dim, int window, mx::Dtype dtype)
    : keys_(empty({kv_heads, 0, head_dim}, dtype)),
      values_(empty({kv_heads, 0, head_dim}, dtype)),
      window_(window) {}

int LayerCache::needed_behind() const { return window_ > 0 ? std::min(rows_, window_ - 1) : rows_; }

void LayerCache::move_rows(int from, int capacity) {
  const auto moved = [&](const mx::array& old) {
    mx::array fresh = empty({old.shape(0), capacity, old.shape(2)}, old.dtype());
    if (rows_ == from) {
      return fresh;
    }
    const mx::array kept = kernels::rows_of_heads(old, from, rows_);
    return mx::slice_update(fresh, kept, mx::Shape{0, 0, 0},
                            mx::Shape{old.shape(0), rows_ - from, old.shape(2)});
  };
  keys_ = moved(keys_);
  values_ = moved(values_);
  rows_ -= from;
  dropped_ += from;
}

void LayerCache::make_room(int rows) {
  const int capacity = keys_.shape(1);
  if (rows_ + rows <= capacity) {
    return;
  }
  const int kept = needed_behind();
  int wanted = std::max(2 * capacity, kFirstCapacity);
  if (window_ > 0) {
    wanted = std::min(wanted, 2 * window_);  // so that a row is moved once a window at most
  }
  wanted = std::max({wanted, capacity, kept + rows});
  move_rows(rows_ + rows > wanted ? rows_ - kept : 0, wanted);
}

void LayerCache::reserve(int rows) {
  const int most = window_ > 0 ? std::max(rows_, 2 * window_) : rows_ + rows;
  const int wanted = std::min(rows_ + rows, most);
  if (wanted > keys_.shape(1)) {
    move_rows(0, wanted);
  }
}

std::pair<mx::array, mx::array> LayerCache::append(const mx::array& keys, const mx::array& values) {
  const int n = keys.shape(0);
  make_room(n);
  const int first = rows_ - needed_behind();
  keys_ = kernels::kv_append(std::move(keys_), keys, rows_);
  values_ = kernels::kv_append(std::move(values_), values, rows_);
  rows_ += n;
  return {kernels::rows_of_heads(keys_, first, rows_),
          kernels::rows_of_heads(values_, first, rows_)};
}

bool LayerCache::rewind(int length) {
  const int rows = length - dropped_;
  const int needed = window_ > 0 ? std::min(length, window_ - 1) : length;
  if (rows > rows_ || rows < needed) {
    return false;
  }
  rows_ = rows;
  return true;
}

int LayerCache::worth_copying() const {
  return std::min(rows_, needed_behind() + std::min(kSlack, window_));
}

void LayerCache::own(int rows) {
  const int kept = worth_copying();
  const int most = window_ > 0 ? 2 * window_ : kept + rows;
  move_rows(rows_ - kept, std::min(kept + rows, most));
}

LayerCache LayerCache::newest() const {
  const int kept = worth_copying();
  LayerCache copy = *this;
  copy.move_rows(rows_ - kept, kept + 1);  // a buffer just as large would be a view of this one
  return copy;
}

std::size_t LayerCache::bytes() const { return keys_.nbytes() + values_.nbytes(); }

std::size_t Windows::bytes() const {
  std::size_t total = 0;
  for (const LayerCache& layer : layers) {
    total += layer.bytes();
  }
  return total;
}

Cache::Cache(const arch::ModelSpec& spec, mx::Dtype dtype, int length) {
  const arch::Config& config = spec.config;
  for (const arch::LayerSpec& layer : spec.layers) {
    layers_.emplace_back(config.kv_heads, config.head_dim, layer.window, dtype);
  }
  for (const arch::Rope& rope : config.ropes) {
    const arch::RopeTable table = arch::rope_table(rope, length);
    rotary_.push_back(
        {mx::array(table.periods.begin(), {static_cast<int>(table.periods.size())}, mx::float32),
         table.magnitude});
  }
}

void Cache::reserve(int tokens) {
  for (LayerCache& layer : layers_) {
    layer.reserve(tokens);
  }
}

void Cache::rollback() {
  for (LayerCache& layer : layers_) {
    if (!layer.rewind(length_)) {
      throw Error(ErrorKind::Internal, "[cache] a layer dropped rows of an unfinished forward.");
    }
  }
}

bool Cache::trim(int length, const Windows* windows) {
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
    if (windows == nullptr || layer.window() == 0) {
      return false;
    }
    layer = windows->layers[index];
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

Windows Cache::windows() const {
  Windows copy{.length = length_, .layers = {}};
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
