#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "arch/rope.h"
#include "arch/spec.h"
#include "mlx/array.h"
#include "model/layer_cache.h"
#include "model/layer_state.h"

namespace convergio::model {

namespace mx = mlx::core;

/// What a cache cannot be rewound to without, as it was at some length: the newest rows of
/// sliding-window layers, which drop them, and the states of recurrences, which are written over.
struct Snapshot {
  int length = 0;
  std::vector<LayerCache> layers;  ///< the sliding ones, in order
  std::vector<LayerState> states;

  std::size_t bytes() const;
  std::vector<mx::array> arrays() const;
};

/// The keys and values of one sequence and the states of its recurrences, with the rotary tables
/// for its length.
///
/// A copy shares buffers with it until either appends, which then copies what it writes to.
/// Assigning a copy back restores it.
class Cache {
 public:
  /// With the rotary tables for a sequence of `length` positions.
  Cache(const arch::ModelSpec& spec, mx::Dtype dtype, int length);

  struct RotaryTable {
    mx::array periods;  ///< (dims / 2,) float32
    float magnitude;
  };

  int length() const { return length_; }  ///< tokens that every layer holds
  int layer_count() const { return static_cast<int>(places_.size()); }  ///< of the model
  /// The keys and values that a layer of the model attends to: layers that share them have one.
  LayerCache& layer(int index) { return layers_[static_cast<std::size_t>(place(index).keys)]; }
  /// The state of a layer's recurrence.
  LayerState& state(int index) { return states_[static_cast<std::size_t>(place(index).state)]; }
  /// Whether there is any: then it is rewound to a snapshot's length alone, and no rows of a pass
  /// can be drafted.
  bool has_states() const { return !states_.empty(); }
  /// By LayerConfig::rope.
  const RotaryTable& rotary(int index) const { return rotary_[static_cast<std::size_t>(index)]; }

  /// Takes the rotary tables for a sequence of `length` positions, before a pass that makes it that
  /// long. False (and nothing changed) where the keys so far have to be computed anew for them.
  bool rotate_for(int length);

  /// Whether a sequence of `length` positions has the tables that it has now.
  bool rotates_alike(int length) const { return arch::table_key(*ropes_, length) == key_; }

  /// How many keys, from the first, were rotated by the same tables, and these tables' key
  /// (arch::table_key).
  int rotated_alike() const { return std::min(rotated_alike_, length_); }
  int table_key() const { return first_key_; }

  /// Makes room for `tokens` more in every layer.
  void reserve(int tokens);

  /// The same before a pass of `tokens` tokens, which then has no buffer to grow.
  void make_room(int tokens);

  /// All layers hold `tokens` more than before: they are part of the sequence from now on.
  void commit(int tokens);

  /// Forgets what layers hold beyond length(): after a forward that did not end, or of drafted
  /// tokens. A window drops no row that its length needs while a pass appends to it. A forward of
  /// one row writes states in place; where it did not end, they are gone: torn() is true from then
  /// on, and the cache is of no use.
  void rollback();
  bool torn() const { return torn_; }

  /// Cuts it back to the first `length` tokens; false (and nothing changed) where a sliding layer
  /// has already dropped rows that they need or a state has gone on, and `snapshot`, of this
  /// sequence, does not have them either. A state that it has is for its own length alone.
  bool trim(int length, const Snapshot* snapshot = nullptr);

  /// Copies all rows that are needed to buffers of its own, with room for `tokens` more; those it
  /// shared with other caches stay theirs.
  void own(int tokens);

  /// What trim() to about this length will need; its computation is queued. States are shared until
  /// the next pass writes them.
  Snapshot snapshot() const;

  /// The same of lengths that the last pass went over, each marked in its segment
  /// (Segment::marks), of all these, in order.
  std::vector<Snapshot> take_marked(std::span<const int> lengths);

  /// Forgets the last pass's marks.
  void drop_marks();

  /// Up to this length it can be trimmed to any other without a snapshot.
  int lossless_length() const;

  std::size_t bytes() const;  ///< of the buffers, filled or not

  /// Arrays to evaluate so that nothing of the sequence is pending.
  std::vector<mx::array> arrays() const;

 private:
  /// Where a layer of the model has its keys and values, and its state; -1: nowhere.
  struct Place {
    int keys = -1;
    int state = -1;
  };
  const Place& place(int index) const { return places_[static_cast<std::size_t>(index)]; }
  void make_tables(int length);

  std::shared_ptr<const std::vector<arch::Rope>> ropes_;
  std::vector<LayerCache> layers_;  ///< of those that have keys and values of their own
  std::vector<LayerState> states_;  ///< of those that have a recurrence
  std::vector<Place> places_;       ///< in both, for each layer of the model
  bool torn_ = false;
  std::vector<RotaryTable> rotary_;
  int key_;                                              ///< of the tables
  int first_key_;                                        ///< of those of the first rows
  int rotated_alike_ = std::numeric_limits<int>::max();  ///< rows; no bound while there is one key
  int length_ = 0;
};

}  // namespace convergio::model
