#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "arch/spec.h"
#include "mlx/array.h"

namespace convergio::model {

namespace mx = mlx::core;

/// The keys and values of one layer. Rows lie in the order of their positions; a layer with a
/// window drops those that no later query can see, once its buffer is full.
class LayerCache {
 public:
  LayerCache(int kv_heads, int head_dim, int window, mx::Dtype dtype);

  /// Makes room for `rows` more. The buffer at least doubles, so a row is moved O(1) times.
  void reserve(int rows);

  /// Appends keys and values, each (n, kv_heads, head_dim), and returns views of all that the
  /// last n queries may see, each (kv_heads, m, head_dim).
  std::pair<mx::array, mx::array> append(const mx::array& keys, const mx::array& values);

  /// Goes back to the first `length` positions; false where rows they need are gone.
  bool rewind(int length);

  /// Copies the rows that are still needed to a buffer of its own, with room for `rows` more.
  void own(int rows);

  /// A copy of the newest rows: those that the next query sees and some before them, so that it can
  /// be rewound a little.
  LayerCache newest() const;

  int window() const { return window_; }
  int length() const { return dropped_ + rows_; }  ///< positions appended so far
  std::size_t bytes() const;

  const mx::array& keys() const { return keys_; }
  const mx::array& values() const { return values_; }

 private:
  void make_room(int rows);
  void move_rows(int from, int capacity);
  int needed_behind() const;  ///< rows before the next position that a query there can see
  int worth_copying() const;  ///< those, and some to be rewound by

  mx::array keys_;    ///< (kv_heads, capacity, head_dim); the first rows_ rows are filled
  mx::array values_;  ///< likewise
  int window_;        ///< 0: unlimited
  int rows_ = 0;
  int dropped_ = 0;
};

/// What the sliding layers of a cache held at some length. They move on and drop rows, and can go
/// back with this.
struct Windows {
  int length = 0;
  std::vector<LayerCache> layers;  ///< the sliding ones, in order

  std::size_t bytes() const;
};

/// The KV cache of one sequence, with the rotary tables that its length asks for.
///
/// Copying one takes a snapshot: both share buffers until either appends, which then copies what
/// it writes to. Assigning a copy back restores it.
class Cache {
 public:
  /// For a sequence that will reach `length` positions; it may grow beyond.
  Cache(const arch::ModelSpec& spec, mx::Dtype dtype, int length);

  struct RotaryTable {
    mx::array periods;  ///< (dims / 2,) float32
    float magnitude;
  };

  int length() const { return length_; }  ///< tokens whose keys and values every layer holds
  int layer_count() const { return static_cast<int>(layers_.size()); }
  LayerCache& layer(int index) { return layers_[static_cast<std::size_t>(index)]; }
  const RotaryTable& rotary(int index) const { return rotary_[static_cast<std::size_t>(index)]; }

  /// Makes room for `tokens` more in every layer.
  void reserve(int tokens);

  /// All layers hold `tokens` more than before: they are part of the sequence from now on.
  void commit(int tokens) { length_ += tokens; }

  /// Forgets what layers hold beyond length(): after a forward that did not end.
  void rollback();

  /// Keeps the first `length` tokens; false (and nothing changed) where a sliding layer has already
  /// dropped rows that they need, and `windows`, of this sequence, does not have them either.
  bool trim(int length, const Windows* windows = nullptr);

  /// Copies all that is needed to buffers of its own, with room for `tokens` more: what it shared
  /// with other caches stays theirs.
  void own(int tokens);

  /// What trim() to about this length will need, copied; being computed.
  Windows windows() const;

  /// Up to this length no layer drops rows.
  int lossless_length() const;

  std::size_t bytes() const;  ///< of the buffers, filled or not

  /// Arrays to evaluate so that nothing of the sequence is pending.
  std::vector<mx::array> arrays() const;

 private:
  std::vector<LayerCache> layers_;
  std::vector<RotaryTable> rotary_;
  int length_ = 0;
};

}  // namespace convergio::model
