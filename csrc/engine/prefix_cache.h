#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "engine/miss.h"
#include "kernels/kernel_set.h"
#include "model/forward.h"

namespace convergio::engine {

/// The tokens of a prompt and its answer with their keys and values: those of a request while it
/// is answered, and afterwards kept for whoever goes on from them.
struct Sequence {
  std::vector<int> tokens;  ///< the cache has the first of them
  model::Cache cache;
  std::vector<model::Windows> windows;  ///< at lengths to which it may be cut back, ascending
  int planned = 0;                      ///< the length that its rotary tables were chosen for
  bool active = true;                   ///< a request appends to it

  /// Makes it possible to cut it back to its length at this moment.
  void mark();
  std::size_t bytes() const;
};

/// A pass of fewer rows may be computed by other kernels, which sum in another order. No part of a
/// prompt is run in so few, so that what is kept of it is what running it again would give, to the
/// bit.
constexpr int kBulkRows = kernels::kFewRows + 1;

/// How much of a prompt was found.
struct Prefix {
  std::shared_ptr<Sequence> sequence;  ///< holds the first `length` tokens of the prompt
  int length = 0;
  Miss miss = Miss::None;
  int missed_at = 0;  ///< tokens up to where `miss` speaks of; at least `length`
};

/// The sequences of one model, bounded in bytes; the least recently used go first. Lives on the
/// worker's thread, but for kept().
class PrefixCache {
 public:
  /// Keeps `limit` bytes at most; 0 keeps nothing.
  PrefixCache(std::shared_ptr<const model::Model> model, std::size_t limit);
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  /// A sequence for `tokens` that will reach `planned`, with as many of their keys and values as
  /// are kept, all but the last kBulkRows at most. What another request goes on from too is copied;
  /// what nobody else needs is taken. There is room for `answer` tokens behind them.
  Prefix begin(const std::vector<int>& tokens, int planned, int answer);

  /// A request is done with its sequence, which others may go on from now.
  void keep(const std::shared_ptr<Sequence>& sequence);

  /// A request is done with its sequence, which is not to be gone on from.
  void drop(const std::shared_ptr<Sequence>& sequence);

  /// Forgets what no request is using; true where that freed anything.
  bool clear();

  /// The same for every model: when memory is needed.
  static bool clear_all();

  struct Kept {
    std::size_t sequences = 0;
    std::size_t bytes = 0;
  };
  /// What is kept beside the sequences in use; from any thread.
  Kept kept() const { return {kept_sequences_, kept_bytes_}; }

 private:
  struct Match {
    std::shared_ptr<Sequence> sequence;
    const model::Windows* windows = nullptr;  ///< to cut it back with
    int length = 0;
  };
  Match longest(const std::vector<int>& tokens, int planned, Prefix& prefix) const;
  static Match usable(const std::shared_ptr<Sequence>& sequence, int common);
  bool rotates_alike(int length, int other) const;
  void explain(const std::vector<int>& tokens, const Match& match, Prefix& prefix) const;
  std::shared_ptr<Sequence> take(const Match& match, int room);
  void forget_prefixes_of(const Sequence& sequence);
  void evict();
  void count();

  std::shared_ptr<const model::Model> model_;
  const std::size_t limit_;
  std::deque<std::shared_ptr<Sequence>> sequences_;  ///< least recently used first
  std::deque<std::vector<int>> evicted_;             ///< tokens of the last ones
  std::atomic<std::size_t> kept_sequences_ = 0;
  std::atomic<std::size_t> kept_bytes_ = 0;
};

}  // namespace convergio::engine
