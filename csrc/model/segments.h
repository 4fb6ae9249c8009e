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
  /// Rows after which states are kept, for Cache::take_marked(): ascending, each more than 0 and
  /// less than `rows`.
  std::span<const int> marks{};
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

/// Rows [from, to) of x, (n, width): x itself where those are all.
mx::array rows_of(const mx::array& x, int from, int to);

/// The rows of all, one after another; at once where they are there.
mx::array joined_rows(const std::vector<mx::array>& parts);

/// Runs an op over all rows, each sequence's from its part of layer `index`'s state, which becomes
/// what the op makes of it: op(from, to, sequences) is a kernels::WithStates of rows [from, to). A
/// single row updates it in place. The op runs once, and once more for each mark.
template <class Op>
mx::array with_states(Segments segments, int index, StatePart part, const Op& op) {
  std::vector<mx::array> results;
  std::vector<kernels::StatefulRows> sequences;
  std::vector<LayerState*> states;
  int from = 0;
  int to = 0;
  const auto run = [&] {
    kernels::WithStates result = op(from, to, std::exchange(sequences, {}));
    for (std::size_t i = 0; i < states.size(); ++i) {
      states[i]->put(part, std::move(result.states[i]));
    }
    results.push_back(std::move(result.y));
    states.clear();
    from = to;
  };
  const auto add = [&](LayerState& state, int rows, mx::array before) {
    sequences.push_back({rows, std::move(before)});
    states.push_back(&state);
    to += rows;
  };
  for (const Segment& one : segments) {
    LayerState& state = one.cache->state(index);
    mx::array before = state.take(part, one.rows == 1);
    int done = 0;
    for (const int mark : one.marks) {
      add(state, mark - done, std::move(before));
      run();
      before = state.mark(part);
      done = mark;
    }
    add(state, one.rows - done, std::move(before));
  }
  run();
  return results.size() == 1 ? std::move(results.front()) : joined_rows(results);
}

}  // namespace convergio::model
