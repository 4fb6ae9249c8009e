#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "kernels/ops/attention.h"
#include "kernels/ops/stateful_rows.h"
#include "model/cache.h"

namespace convergio::model {

/// Rows of a pass, one after another, that join one sequence. The last `drafted` of them may not be
/// part of it: the cache holds them beyond its length, until each is committed or all are
/// forgotten.
struct Segment {
  Cache* cache;
  int rows;
  int drafted = 0;
};

/// The sequences of a pass, each once, whose rows lie one segment after another.
using Segments = std::span<const Segment>;

int rows_of(Segments segments);

/// x, (1, heads, n, head_dim), rotated to the positions that its rows take in their sequences by
/// their tables `index` (LayerConfig::rope); as it is where that is negative.
mx::array rotated(const mx::array& x, Segments segments, int index, bool interleaved);

/// What the rows see of layer `index`: join(layer, from, to) puts rows [from, to) into a sequence's
/// layer, where they are its own, and returns views of the keys and values.
template <class Join>
std::vector<kernels::SeenKeys> seen_keys(Segments segments, int index, const Join& join) {
  std::vector<kernels::SeenKeys> seen;
  int from = 0;
  for (const Segment& one : segments) {
    LayerCache& layer = one.cache->layer(index);
    auto [keys, values] = join(layer, from, from + one.rows);
    const int first_key = layer.length() - keys.shape(2);
    seen.push_back({one.rows, std::move(keys), std::move(values), first_key});
    from += one.rows;
  }
  return seen;
}

/// Runs an op over all rows, each sequence's from its part of layer `index`'s state, which becomes
/// what the op makes of it: op(sequences) is a kernels::WithStates. A single row updates it in
/// place.
template <class Op>
mx::array with_states(Segments segments, int index, StatePart part, const Op& op) {
  std::vector<kernels::StatefulRows> sequences;
  for (const Segment& one : segments) {
    sequences.push_back({one.rows, one.cache->state(index).take(part, one.rows == 1)});
  }
  kernels::WithStates result = op(std::move(sequences));
  for (std::size_t i = 0; i < segments.size(); ++i) {
    segments[i].cache->state(index).put(part, std::move(result.states[i]));
  }
  return std::move(result.y);
}

}  // namespace convergio::model
