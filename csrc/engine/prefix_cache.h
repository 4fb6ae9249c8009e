#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "engine/miss.h"
#include "engine/snapshots.h"
#include "model/forward.h"

namespace convergio::engine {

/// The tokens of a prompt and its answer with their keys and values: those of a request while it
/// is answered, and afterwards cached for prompts that share them as a prefix.
struct Sequence {
  /// A length at which its request is to take a snapshot.
  struct Wanted {
    int length;
    bool shared;  ///< prompts go apart there
  };

  std::vector<int> tokens;  ///< the cache has the first of them
  model::Cache cache;
  Snapshots snapshots{};         ///< that it can be trimmed to
  std::vector<Wanted> wanted{};  ///< ascending, all longer than the cache
  bool takes_snapshots = false;  ///< so that more can be wanted
  bool active = true;            ///< a request appends to it
  std::size_t level = 0;         ///< of that request

  /// Asks for a snapshot, where that is worth having.
  void want(int length, bool shared);

  /// Also of snapshots that others share.
  std::size_t bytes() const { return cache.bytes() + snapshots.bytes(); }

  /// After how many of the next `rows` a snapshot is wanted: more than 0 and less than all.
  std::vector<int> marks(int rows) const;
};

/// How much of a prompt is cached.
struct Prefix {
  std::shared_ptr<Sequence> sequence;  ///< holds the first `length` tokens of the prompt
  int length = 0;
  Miss miss = Miss::None;
  int missed_at = 0;  ///< tokens up to where `miss` speaks of; at least `length`
};

/// A sequence that is worth waiting for.
struct Awaited {
  std::shared_ptr<const Sequence> sequence;
  int length = 0;

  /// Until it has that length, or its request is over, or takes no snapshot without which it
  /// cannot be continued from there.
  bool is_coming() const {
    return sequence != nullptr && sequence->active && sequence->cache.length() < length &&
           (sequence->takes_snapshots || !sequence->cache.has_states());
  }
};

/// The sequences of one model, bounded in bytes; the least recently used go first. Lives on the
/// worker's thread, but for stats().
class PrefixCache {
 public:
  /// Holds `limit` bytes at most; 0 switches it off.
  PrefixCache(std::shared_ptr<const model::Model> model, std::size_t limit);
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  /// A sequence for `tokens`, with as many of their keys and values as are cached, all but the last
  /// token's at most. A sequence that other requests continue too is copied; one that nobody else
  /// needs is taken. There is room for `answer` tokens behind them.
  Prefix acquire(const std::vector<int>& tokens, int answer);

  /// A sequence that a request of this level or a higher one computes, and that will have more of
  /// these tokens' keys and values than it has; with how many that are. nullptr: there is none.
  /// Where it can be continued from there with a snapshot alone, it takes one.
  Awaited awaited(const std::vector<int>& tokens, std::size_t level);

  /// Decides at which of its tokens, and the `answer` behind them, a sequence's request takes
  /// snapshots: where prompts are known to go apart, before the last token and some tokens earlier,
  /// and every kSnapshotEvery of a long one. None where it can be trimmed without.
  void want_snapshots(const Prefix& prefix, int answer) const;

  /// Takes those that a pass has come to, which had such marks.
  void take_snapshots(Sequence& sequence, std::span<const int> marks);

  /// Bytes that a sequence's snapshots come to at most, for a prompt of so many tokens and its
  /// `answer`.
  std::size_t snapshot_bytes(int prompt, int answer) const;

  /// Rows of room behind a prompt of so many tokens for the conversation's next turn.
  int spare(int prompt) const { return limit_ > 0 ? prompt / 4 : 0; }

  /// A request is done with its sequence, which later ones may continue.
  void release(const std::shared_ptr<Sequence>& sequence);

  /// A request is done with its sequence, which no other may continue.
  void discard(const std::shared_ptr<Sequence>& sequence);

  /// Forgets what no request is using; true where that freed anything.
  bool clear();

  /// The same for every model: when memory is needed. Where that freed nothing, the snapshots of
  /// requests go, which take no more of them.
  static bool clear_all();

  /// Bytes of all sequences of every model, in use or not.
  static std::size_t all_bytes();

  struct Stats {
    std::size_t sequences = 0;
    std::size_t bytes = 0;
    std::size_t snapshots = 0;
    std::size_t snapshot_bytes = 0;  ///< of `bytes`
  };
  /// The sequences that no request is using; from any thread.
  Stats stats() const {
    return {idle_sequences_, idle_bytes_, idle_snapshots_, idle_snapshot_bytes_};
  }

 private:
  struct Match {
    std::shared_ptr<Sequence> sequence;
    const model::Snapshot* snapshot = nullptr;  ///< to trim it with
    int length = 0;
  };
  Match longest(const std::vector<int>& tokens, Prefix& prefix) const;
  static Match usable(const std::shared_ptr<Sequence>& sequence, int common);
  void explain(const std::vector<int>& tokens, const Match& match, Prefix& prefix) const;
  std::shared_ptr<Sequence> take(const Match& match, int room);
  void merge_prefixes_of(Sequence& sequence);
  bool drop_snapshots();
  void bound(Snapshots& snapshots) const;
  void evict();
  void count();

  std::shared_ptr<const model::Model> model_;
  const std::size_t limit_;
  const int lossless_length_;  ///< of a sequence that is trimmed to any length without a snapshot
  std::deque<std::shared_ptr<Sequence>> sequences_;  ///< least recently used first
  std::deque<std::vector<int>> evicted_;             ///< tokens of the last ones
  std::atomic<std::size_t> idle_sequences_ = 0;
  std::atomic<std::size_t> idle_bytes_ = 0;
  std::atomic<std::size_t> idle_snapshots_ = 0;
  std::atomic<std::size_t> idle_snapshot_bytes_ = 0;
};

}  // namespace convergio::engine
