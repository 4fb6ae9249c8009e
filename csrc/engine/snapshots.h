#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/cache.h"

namespace convergio::engine {

/// Tokens that are not worth a snapshot: to run them again takes no longer than a few passes.
constexpr int kWorthSnapshot = 16;

/// The snapshots of one sequence, by length, each of which a copy of the sequence shares. Where
/// there are too many, what several prompts share, the first and the newest stay, and of the others
/// those that are far from their neighbours.
class Snapshots {
 public:
  struct Stored {
    model::Snapshot snapshot;
    std::size_t bytes;
    mutable std::uint64_t counted = 0;  ///< by which count of all sequences'
  };
  struct One {
    std::shared_ptr<const Stored> stored;
    bool shared = false;  ///< prompts went apart there

    const model::Snapshot& snapshot() const { return stored->snapshot; }
    int length() const { return stored->snapshot.length; }
    std::size_t bytes() const { return stored->bytes; }
  };

  /// In place of one of the same length.
  void add(model::Snapshot snapshot, bool shared);

  /// Takes over those of a sequence that begins this one's.
  void merge(const Snapshots& others);

  /// Drops those of more tokens.
  void drop_beyond(int length);

  /// Drops the one that is worth least, but for the first and the newest; false where there is
  /// none.
  bool thin();

  void clear();

  /// Whether a snapshot of so many tokens saves enough of them.
  bool worth_having(int length) const;

  const std::vector<One>& all() const { return all_; }  ///< ascending
  std::size_t bytes() const { return bytes_; }

 private:
  void insert(One one);

  std::vector<One> all_;
  std::size_t bytes_ = 0;
};

}  // namespace convergio::engine
