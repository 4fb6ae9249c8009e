#include "engine/prefix_cache.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <set>
#include <utility>

#include "arch/rope.h"
#include "io/error.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

namespace mx = mlx::core;

/// A layer has two buffers, and the number of buffers in a process is limited on Metal.
constexpr std::size_t kMostSequences = 128;
constexpr std::size_t kEvictedRemembered = 16;
/// A sequence is trimmed in place, rather than copied, where that loses one token in so many:
/// to copy a row costs a few hundredths of what it costs to compute it.
constexpr int kWorthCopying = 16;

/// Tokens that are not computed twice where a request waits for another to have computed them; less
/// than a pass has beside those that decode is not worth it.
constexpr int kWorthWaiting = 16;

/// Tokens of a prompt between two snapshots that nothing else asks for.
constexpr int kSnapshotEvery = 2048;
/// Before those of a prompt's last tokens that a template writes otherwise, or not at all, in the
/// next turn: what opens the answer, and reasoning in it.
constexpr int kTail = kWorthSnapshot;
constexpr std::size_t kMostSnapshots = 16;  ///< of a sequence
/// Of the prefix cache's bytes, a sequence's snapshots take one part in so many, or are two.
constexpr std::size_t kSnapshotPart = 4;

std::mutex all_mutex;
std::set<PrefixCache*>& all_caches() {
  static auto* all = new std::set<PrefixCache*>;  // never destroyed: threads may outlive statics
  return *all;
}

int common_length(const std::vector<int>& a, const std::vector<int>& b) {
  return static_cast<int>(std::ranges::mismatch(a, b).in1 - a.begin());
}

/// All but the last token, whose logits are needed.
int longest_useful(const std::vector<int>& tokens) {
  return std::max(0, static_cast<int>(tokens.size()) - 1);
}

}  // namespace

void Sequence::want(int length, bool shared) {
  if (!takes_snapshots || length <= cache.length() || !snapshots.worth_having(length)) {
    return;
  }
  const auto near = std::ranges::find_if(wanted, [&](const Wanted& one) {
    return one.length <= length && length - one.length < kWorthSnapshot;
  });
  if (near != wanted.end()) {
    near->shared = near->shared || shared;
    return;
  }
  const auto at = std::ranges::lower_bound(wanted, length, {}, &Wanted::length);
  wanted.insert(at, {.length = length, .shared = shared});
}

std::vector<int> Sequence::marks(int rows) const {
  std::vector<int> all;
  for (const Wanted& one : wanted) {
    if (const int row = one.length - cache.length(); row > 0 && row < rows) {
      all.push_back(row);
    }
  }
  return all;
}

namespace {

/// Sequences and their snapshots, of which several may have the same. Takes no memory: it is
/// counted where there is none, too.
class Total {
 public:
  void add(const Sequence& sequence) {
    ++sequences;
    bytes += sequence.cache.bytes();
    for (const Snapshots::One& one : sequence.snapshots.all()) {
      if (std::exchange(one.stored->counted, count_) != count_) {
        ++snapshots;
        snapshot_bytes += one.bytes();
      }
    }
  }

  std::size_t sequences = 0;
  std::size_t bytes = 0;  ///< without snapshots
  std::size_t snapshots = 0;
  std::size_t snapshot_bytes = 0;

 private:
  static std::uint64_t next() {
    static std::uint64_t last = 0;  // of the worker's thread
    return ++last;
  }

  const std::uint64_t count_ = next();
};

}  // namespace

PrefixCache::PrefixCache(std::shared_ptr<const model::Model> model, std::size_t limit)
    : model_(std::move(model)),
      limit_(limit),
      lossless_length_(model_->make_cache(1).lossless_length()) {
  const std::scoped_lock lock(all_mutex);
  all_caches().insert(this);
}

PrefixCache::~PrefixCache() {
  const std::scoped_lock lock(all_mutex);
  all_caches().erase(this);
}

/// The most of `common` tokens that a sequence can be trimmed to.
PrefixCache::Match PrefixCache::usable(const std::shared_ptr<Sequence>& sequence, int common) {
  const auto can = [&](int length, const model::Snapshot* snapshot) {
    return model::Cache(sequence->cache).trim(length, snapshot);
  };
  if (can(common, nullptr)) {
    return {.sequence = sequence, .snapshot = nullptr, .length = common};
  }
  const std::vector<Snapshots::One>& snapshots = sequence->snapshots.all();
  for (auto at = snapshots.rbegin(); at != snapshots.rend(); ++at) {
    const int length = sequence->cache.has_states() ? at->length() : std::min(common, at->length());
    if (length <= common && can(length, &at->snapshot())) {
      return {.sequence = sequence, .snapshot = &at->snapshot(), .length = length};
    }
  }
  return {};
}

/// The longest usable match; what is longer but unusable is noted in `prefix`.
PrefixCache::Match PrefixCache::longest(const std::vector<int>& tokens, Prefix& prefix) const {
  const int key = arch::table_key(model_->spec().config.ropes, static_cast<int>(tokens.size()));
  const int most = longest_useful(tokens);
  Match best;
  const auto note = [&](Miss miss, int length) {
    if (length > prefix.missed_at) {
      prefix.miss = miss;
      prefix.missed_at = length;
    }
  };
  // the most recent of equals
  for (auto at = sequences_.rbegin(); at != sequences_.rend(); ++at) {
    const Sequence& one = **at;
    const int found = std::min({common_length(one.tokens, tokens), one.cache.length(), most});
    const int common =
        one.cache.table_key() == key ? std::min(found, one.cache.rotated_alike()) : 0;
    if (common < found && found > best.length) {
      note(Miss::Rotary, found);
    }
    if (common <= best.length) {
      continue;
    }
    const Match match = usable(*at, common);
    if (match.length < common) {
      note(one.cache.has_states() ? Miss::NoSnapshot : Miss::Trimmed, common);
    }
    if (match.length > best.length) {
      best = match;
    }
  }
  return best;
}

/// Why no more than `match` was found.
void PrefixCache::explain(const std::vector<int>& tokens, const Match& match,
                          Prefix& prefix) const {
  const int most = longest_useful(tokens);
  for (const std::vector<int>& one : evicted_) {
    const int common = std::min(common_length(one, tokens), most);
    if (common > std::max(prefix.missed_at, match.length)) {
      prefix.miss = Miss::Evicted;
      prefix.missed_at = common;
    }
  }
  if (prefix.missed_at > match.length) {
    return;
  }
  prefix.missed_at = match.length;
  if (limit_ == 0) {
    prefix.miss = Miss::Off;
  } else if (sequences_.empty()) {
    prefix.miss = Miss::Empty;
  } else if (match.length == most ||
             (match.sequence && match.length == match.sequence->cache.length())) {
    prefix.miss = Miss::None;
  } else {
    prefix.miss = Miss::Diverged;
  }
}

std::shared_ptr<Sequence> PrefixCache::take(const Match& match, int room) {
  Sequence& found = *match.sequence;
  const int lost = found.cache.length() - match.length;
  const bool in_place = !found.active && lost <= match.length / kWorthCopying;
  std::shared_ptr<Sequence> taken = match.sequence;
  if (in_place) {
    taken->cache.trim(match.length, match.snapshot);
    std::erase(sequences_, taken);
    // what it ended with is gone once it goes on
    if (taken->cache.has_states() && taken->snapshots.worth_having(match.length)) {
      taken->snapshots.add(taken->cache.snapshot(), /*shared=*/false);
    }
  } else {
    taken = std::make_shared<Sequence>(found);
    taken->cache.trim(match.length, match.snapshot);
    taken->cache.own(room);
    // at once: the other appends in place where nobody is still to read
    mx::eval(taken->cache.arrays());
    if (!found.active) {  // it was used
      std::erase(sequences_, match.sequence);
      sequences_.push_back(match.sequence);
    }
  }
  taken->snapshots.drop_beyond(match.length);
  taken->wanted.clear();
  taken->takes_snapshots = false;
  return taken;
}

Prefix PrefixCache::acquire(const std::vector<int>& tokens, int answer) {
  Prefix prefix;
  const Match match = limit_ > 0 ? longest(tokens, prefix) : Match{};
  explain(tokens, match, prefix);
  const auto count_of = static_cast<int>(tokens.size());
  const int room = count_of - match.length + answer + spare(count_of);
  if (match.length > 0) {
    prefix.sequence = take(match, room);
    prefix.length = match.length;
  } else {
    prefix.sequence =
        std::make_shared<Sequence>(Sequence{.tokens = {}, .cache = model_->make_cache(count_of)});
    prefix.sequence->cache.reserve(room);
  }
  prefix.sequence->tokens = tokens;
  prefix.sequence->active = true;
  sequences_.push_back(prefix.sequence);
  count();
  return prefix;
}

void PrefixCache::want_snapshots(const Prefix& prefix, int answer) const {
  Sequence& sequence = *prefix.sequence;
  const auto length = static_cast<int>(sequence.tokens.size());
  sequence.takes_snapshots = limit_ > 0 && length + answer > lossless_length_;
  sequence.want(prefix.missed_at, /*shared=*/true);
  sequence.want(length - 1 - kTail, /*shared=*/false);
  sequence.want(length - 1, /*shared=*/false);  // the same prompt again lacks its last token
  const int first = (sequence.cache.length() / kSnapshotEvery + 1) * kSnapshotEvery;
  for (int at = first; at < length - kSnapshotEvery / 2; at += kSnapshotEvery) {
    sequence.want(at, /*shared=*/false);
  }
}

void PrefixCache::take_snapshots(Sequence& sequence, std::span<const int> marks) {
  std::vector<Sequence::Wanted>& wanted = sequence.wanted;
  const int length = sequence.cache.length();
  const auto reached = std::ranges::upper_bound(wanted, length, {}, &Sequence::Wanted::length);
  if (reached == wanted.begin()) {
    sequence.cache.drop_marks();  // of what is no longer wanted
    return;
  }
  const auto end = reached - (std::prev(reached)->length == length ? 1 : 0);
  std::vector<int> lengths;
  std::ranges::transform(wanted.begin(), end, std::back_inserter(lengths),
                         &Sequence::Wanted::length);
  if (lengths.size() != marks.size()) {
    throw Error(ErrorKind::Internal, "[prefix cache] a pass has not marked what it was to.");
  }
  Snapshots& snapshots = sequence.snapshots;
  const std::vector<model::Snapshot> marked = sequence.cache.take_marked(lengths);
  for (std::size_t i = 0; i < marked.size(); ++i) {
    snapshots.add(marked[i], wanted[i].shared);
  }
  if (end != reached) {
    snapshots.add(sequence.cache.snapshot(), end->shared);
  }
  wanted.erase(wanted.begin(), reached);
  bound(snapshots);
}

void PrefixCache::bound(Snapshots& snapshots) const {
  while ((snapshots.all().size() > kMostSnapshots || snapshots.bytes() > limit_ / kSnapshotPart) &&
         snapshots.thin()) {
  }
}

std::size_t PrefixCache::snapshot_bytes(int prompt, int answer) const {
  if (limit_ == 0 || prompt + answer <= lossless_length_) {
    return 0;
  }
  const auto periodic = static_cast<std::size_t>(prompt / kSnapshotEvery);
  const std::size_t one = model_->snapshot_bytes();
  const std::size_t most = std::min((3 + periodic) * one, kMostSnapshots * one);
  return std::min(most, std::max(2 * one, limit_ / kSnapshotPart));
}

Awaited PrefixCache::awaited(const std::vector<int>& tokens, std::size_t level) {
  Awaited best;
  std::shared_ptr<Sequence> appending;  // that of `best`
  if (limit_ == 0) {
    return best;
  }
  const int key = arch::table_key(model_->spec().config.ropes, static_cast<int>(tokens.size()));
  const auto common_with = [&](const Sequence& one) {
    return std::min(common_length(one.tokens, tokens), longest_useful(tokens));
  };
  // asked at each step of each that waits: those that are idle matter only where one is awaited
  for (const auto& one : sequences_) {
    if (!one->active || one->level < level || one->cache.table_key() != key) {
      continue;
    }
    if (const int common = common_with(*one); common > best.length) {
      best = {.sequence = one, .length = common};
      appending = one;
    }
  }
  if (best.length < kWorthWaiting || best.sequence->cache.length() >= best.length) {
    return {};
  }
  int cached = 0;
  for (const auto& one : sequences_) {
    const int common = std::min(common_with(*one), one->cache.length());
    if (one->cache.table_key() == key && common > cached) {
      cached = std::max(cached, usable(one, common).length);
    }
  }
  if (best.length - cached < kWorthWaiting) {
    return {};
  }
  appending->want(best.length, /*shared=*/true);
  return best.is_coming() ? best : Awaited{};
}

/// Those that begin `whole` have nothing that it lacks, but for states.
void PrefixCache::merge_prefixes_of(Sequence& whole) {
  const auto begins = [&](const std::shared_ptr<Sequence>& one) {
    return !one->active && common_length(one->tokens, whole.tokens) == one->cache.length() &&
           one->cache.table_key() == whole.cache.table_key() &&
           one->cache.rotated_alike() <= whole.cache.rotated_alike();
  };
  // first what may find no memory, while every sequence is in its place
  for (const auto& one : sequences_) {
    if (begins(one)) {
      whole.snapshots.merge(one->snapshots);
      if (whole.cache.has_states() && whole.snapshots.worth_having(one->cache.length())) {
        whole.snapshots.add(one->cache.snapshot(), /*shared=*/false);
      }
    }
  }
  std::erase_if(sequences_, begins);
  bound(whole.snapshots);
}

void PrefixCache::release(const std::shared_ptr<Sequence>& sequence) {
  std::erase(sequences_, sequence);
  sequence->active = false;  // whoever awaits it goes on
  sequence->takes_snapshots = false;
  sequence->wanted.clear();
  const int length = sequence->cache.length();
  if (limit_ > 0 && length > 0) {
    sequence->tokens.resize(std::min(sequence->tokens.size(), static_cast<std::size_t>(length)));
    merge_prefixes_of(*sequence);
    sequences_.push_back(sequence);
  }
  count();
  evict();
}

void PrefixCache::discard(const std::shared_ptr<Sequence>& sequence) {
  sequence->active = false;
  std::erase(sequences_, sequence);
  count();
}

void PrefixCache::evict() {
  while (idle_bytes_ > limit_ || idle_sequences_ > kMostSequences) {
    const auto oldest =
        std::ranges::find_if(sequences_, [](const auto& one) { return !one->active; });
    if (idle_sequences_ <= kMostSequences && (*oldest)->snapshots.thin()) {
      count();
      continue;
    }
    evicted_.push_back((*oldest)->tokens);
    if (evicted_.size() > kEvictedRemembered) {
      evicted_.pop_front();
    }
    sequences_.erase(oldest);
    count();
  }
}

bool PrefixCache::clear() {
  const std::size_t erased =
      std::erase_if(sequences_, [](const auto& one) { return !one->active; });
  count();
  return erased > 0;
}

bool PrefixCache::drop_snapshots() {
  bool freed = false;
  for (const auto& one : sequences_) {
    freed = freed || !one->snapshots.all().empty();
    one->snapshots.clear();
    one->wanted.clear();
    one->takes_snapshots = false;
  }
  count();
  return freed;
}

bool PrefixCache::clear_all() {
  const std::scoped_lock lock(all_mutex);
  bool freed = false;
  for (PrefixCache* one : all_caches()) {
    freed = one->clear() || freed;
  }
  if (!freed) {
    for (PrefixCache* one : all_caches()) {
      freed = one->drop_snapshots() || freed;
    }
  }
  return freed;
}

std::size_t PrefixCache::all_bytes() {
  const std::scoped_lock lock(all_mutex);
  Total total;
  for (const PrefixCache* cache : all_caches()) {
    for (const auto& one : cache->sequences_) {
      total.add(*one);
    }
  }
  return total.bytes + total.snapshot_bytes;
}

void PrefixCache::count() {
  Total total;
  for (const auto& one : sequences_) {
    if (!one->active) {
      total.add(*one);
    }
  }
  idle_sequences_ = total.sequences;
  idle_bytes_ = total.bytes + total.snapshot_bytes;
  idle_snapshots_ = total.snapshots;
  idle_snapshot_bytes_ = total.snapshot_bytes;
}

}  // namespace convergio::engine
