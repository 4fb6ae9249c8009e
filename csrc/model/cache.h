#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "arch/rope.h"
#include "arch/spec.h"
#include "mlx/array.h"

namespace convergio::model {

namespace mx = mlx::core;

/// The keys and values of one layer. Rows lie in the order of their positions; a layer with a
/// window drops those that no later query can see, once its buffer is full.
class LayerCache {
 public:
  /// `latent` > 0: values are the first so many numbers of the keys, and are kept there alone.
  /// `step` > 0: buffers grow by so many rows (kernels::Policy::kv_step).
  LayerCache(int kv_heads, int head_dim, formats::Reach reach, mx::Dtype dtype, int latent = 0,
             int step = 0);

  /// Makes room for `rows` more, and no more than that where the buffer has to grow; with a step,
  /// it grows when it has to.
  void reserve(int rows);

  /// The same before a pass, as append() does: a buffer at least doubles, so that a row is moved
  /// O(1) times, or grows by the step; and a window drops rows that no later query sees.
  void make_room(int rows);

  /// Appends keys and values, each (1, kv_heads, n, head_dim); returns what seen_by(n) does.
  std::pair<mx::array, mx::array> append(const mx::array& keys, const mx::array& values);

  /// The same where values are a part of the keys: those, (1, kv_heads, n, latent), and the rest.
  std::pair<mx::array, mx::array> append_latent(const mx::array& values, const mx::array& rest);

  /// Views of the keys and values that the last n queries may see, each (1, kv_heads, m, head_dim).
  std::pair<mx::array, mx::array> seen_by(int n) const;

  /// Goes back to the first `length` positions; false where rows they need are gone.
  bool rewind(int length);

  /// Copies the rows that are still needed to a buffer of its own, with room for `rows` more.
  void own(int rows);

  /// A copy of the newest rows: those that the next query sees and some before them, so that it can
  /// be rewound a little.
  LayerCache newest() const;

  int window() const { return reach_.window; }
  int length() const { return dropped_ + rows_; }  ///< positions appended so far
  std::size_t bytes() const;

  /// Its buffers.
  std::vector<mx::array> arrays() const;

 private:
  void move_rows(int from, int capacity);
  int needed_behind(int rows) const;  ///< of these, those that a query after them can see
  int worth_copying() const;          ///< those, and some to be rewound by
  /// How many positions before `length` the query at `position` sees.
  int seen_before(int length, int position) const;

  mx::array keys_;  ///< (1, kv_heads, capacity, head_dim); the first rows_ rows are filled
  std::optional<mx::array> values_;  ///< likewise; none where they are a part of the keys
  int latent_;                       ///< and how much of them; 0 where they are not
  formats::Reach reach_;
  int step_;  ///< rows; 0: it doubles
  int rows_ = 0;
  int dropped_ = 0;
};

/// A snapshot of a cache's sliding-window layers at some length, which they can be restored to once
/// they have dropped rows.
struct WindowSnapshot {
  int length = 0;
  std::vector<LayerCache> layers;  ///< the sliding ones, in order

  std::size_t bytes() const;
};

/// The KV cache of one sequence, with the rotary tables for its length.
///
/// Copying one takes a snapshot: both share buffers until either appends, which then copies what
/// it writes to. Assigning a copy back restores it.
class Cache {
 public:
  /// With the rotary tables for a sequence of `length` positions.
  Cache(const arch::ModelSpec& spec, mx::Dtype dtype, int length);

  struct RotaryTable {
    mx::array periods;  ///< (dims / 2,) float32
    float magnitude;
  };

  int length() const { return length_; }  ///< tokens whose keys and values every layer holds
  int layer_count() const { return static_cast<int>(places_.size()); }  ///< of the model
  /// The keys and values that a layer of the model attends to: layers that share them have one.
  LayerCache& layer(int index) {
    return layers_[static_cast<std::size_t>(places_[static_cast<std::size_t>(index)])];
  }
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
  void commit(int tokens) { length_ += tokens; }

  /// Forgets what layers hold beyond length(): after a forward that did not end, or of drafted
  /// tokens. A window drops no row that its length needs while a pass appends to it.
  void rollback();

  /// Cuts it back to the first `length` tokens; false (and nothing changed) where a sliding layer
  /// has already dropped rows that they need, and `snapshot`, of this sequence, does not have them
  /// either.
  bool trim(int length, const WindowSnapshot* snapshot = nullptr);

  /// Copies all that is needed to buffers of its own, with room for `tokens` more; those it shared
  /// with other caches stay theirs.
  void own(int tokens);

  /// What trim() to about this length will need, copied; its computation is queued.
  WindowSnapshot window_snapshot() const;

  /// Up to this length no layer drops rows.
  int lossless_length() const;

  std::size_t bytes() const;  ///< of the buffers, filled or not

  /// Arrays to evaluate so that nothing of the sequence is pending.
  std::vector<mx::array> arrays() const;

 private:
  void make_tables(int length);

  std::shared_ptr<const std::vector<arch::Rope>> ropes_;
  std::vector<LayerCache> layers_;  ///< of those that have keys and values of their own
  std::vector<int> places_;         ///< in them, for each layer of the model
  std::vector<RotaryTable> rotary_;
  int key_;                                              ///< of the tables
  int first_key_;                                        ///< of those of the first rows
  int rotated_alike_ = std::numeric_limits<int>::max();  ///< rows; no bound while there is one key
  int length_ = 0;
};

}  // namespace convergio::model
