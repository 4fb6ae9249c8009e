#include "model/cache.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "io/error.h"
#include "kernels/mlx/policy.h"
#include "mlx/transforms.h"

namespace convergio::model {

namespace {

/// Of LayerCaches or LayerStates.
template <class Layers>
void add_arrays(const Layers& layers, std::vector<mx::array>& all) {
  for (const auto& layer : layers) {
    std::ranges::move(layer.arrays(), std::back_inserter(all));
  }
}

template <class Layers>
std::size_t bytes_of(const Layers& layers) {
  std::size_t total = 0;
  for (const auto& layer : layers) {
    total += layer.bytes();
  }
  return total;
}

/// At once: what still is to be read from cannot be appended to in place.
void begin_to_compute(const Snapshot& snapshot) { mx::async_eval(snapshot.arrays()); }

}  // namespace

std::size_t Snapshot::bytes() const { return bytes_of(layers) + bytes_of(states); }

std::vector<mx::array> Snapshot::arrays() const {
  std::vector<mx::array> all;
  add_arrays(layers, all);
  add_arrays(states, all);
  return all;
}

Cache::Cache(const arch::ModelSpec& spec, mx::Dtype dtype, int length)
    : ropes_(std::make_shared<const std::vector<arch::Rope>>(spec.config.ropes)),
      key_(arch::table_key(*ropes_, length)),
      first_key_(key_) {
  for (const arch::LayerSpec& layer : spec.layers) {
    const arch::LayerConfig& sizes = layer.config;
    Place& place = places_.emplace_back();
    if (sizes.recurrence.is_there()) {
      place.state = static_cast<int>(states_.size());
      states_.emplace_back(sizes.recurrence);
    }
    if (sizes.attends && sizes.shares_keys()) {
      place.keys = places_[static_cast<std::size_t>(sizes.kv_from)].keys;
    } else if (sizes.attends) {
      place.keys = static_cast<int>(layers_.size());
      layers_.emplace_back(sizes.kv_heads, sizes.head_dim, sizes.reach(), dtype, sizes.latent.rank,
                           kernels::policy().kv_step);
    }
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

void Cache::commit(int tokens) {
  length_ += tokens;
  for (LayerState& state : states_) {
    state.commit();
  }
}

void Cache::rollback() {
  for (LayerState& state : states_) {
    torn_ = !state.rollback() || torn_;
  }
  for (LayerCache& layer : layers_) {
    if (!layer.rewind(length_)) {
      throw Error(ErrorKind::Internal, "[cache] a layer dropped rows of an unfinished forward.");
    }
  }
}

bool Cache::trim(int length, const Snapshot* snapshot) {
  if (length < 0 || length > length_) {
    return false;
  }
  const bool goes_back = has_states() && length < length_;
  if (goes_back && (snapshot == nullptr || snapshot->length != length)) {
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
  if (goes_back) {
    states_ = snapshot->states;
  }
  length_ = length;
  return true;
}

void Cache::own(int tokens) {
  for (LayerCache& layer : layers_) {
    layer.own(tokens);
  }
}

Snapshot Cache::snapshot() const {
  Snapshot copy{.length = length_, .layers = {}, .states = states_};
  for (const LayerCache& layer : layers_) {
    if (layer.window() > 0) {
      copy.layers.push_back(layer.newest());
    }
  }
  begin_to_compute(copy);
  return copy;
}

std::vector<Snapshot> Cache::take_marked(std::span<const int> lengths) {
  std::vector<Snapshot> all;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    Snapshot& one = all.emplace_back(Snapshot{.length = lengths[i], .layers = {}, .states = {}});
    for (const LayerCache& layer : layers_) {
      if (layer.window() == 0) {
        continue;
      }
      LayerCache then = layer;
      if (!then.rewind(one.length)) {
        throw Error(ErrorKind::Internal, "[cache] a layer dropped rows of the last pass.");
      }
      one.layers.push_back(then.newest());
    }
    for (const LayerState& state : states_) {
      one.states.push_back(state.marked(i));
    }
    begin_to_compute(one);
  }
  drop_marks();
  return all;
}

void Cache::drop_marks() {
  for (LayerState& state : states_) {
    state.drop_marks();
  }
}

int Cache::lossless_length() const {
  int length = has_states() ? 0 : std::numeric_limits<int>::max();
  for (const LayerCache& layer : layers_) {
    if (layer.window() > 0) {
      length = std::min(length, 2 * layer.window());
    }
  }
  return length;
}

std::size_t Cache::bytes() const { return bytes_of(layers_) + bytes_of(states_); }

std::vector<mx::array> Cache::arrays() const {
  std::vector<mx::array> all;
  add_arrays(layers_, all);
  add_arrays(states_, all);
  return all;
}

}  // namespace convergio::model
