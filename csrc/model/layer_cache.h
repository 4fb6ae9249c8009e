#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "formats/reach.h"
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
  /// The most rows that this has of a layer with such a window; 0 of one without.
  static int rows_of_newest(int window);

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

}  // namespace convergio::model
