#include "engine/prefix_cache.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "arch/rope.h"
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

constexpr std::size_t kMostCheckpoints = 4;  ///< of a sequence

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

void Sequence::checkpoint() {
  checkpoints.push_back(cache.snapshot());
  if (checkpoints.size() > kMostCheckpoints) {
    checkpoints.erase(checkpoints.begin() + 1);  // many share the first; the last is the newest
  }
}

std::size_t Sequence::bytes() const {
  std::size_t total = cache.bytes();
  for (const model::Snapshot& one : checkpoints) {
    total += one.bytes();
  }
  return total;
}

PrefixCache::PrefixCache(std::shared_ptr<const model::Model> model, std::size_t limit)
    : model_(std::move(model)), limit_(limit) {
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
  for (auto at = sequence->checkpoints.rbegin(); at != sequence->checkpoints.rend(); ++at) {
    const int length = std::min(common, at->length);
    if (can(length, &*at)) {
      return {.sequence = sequence, .snapshot = &*at, .length = length};
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
      note(Miss::Trimmed, common);
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
  std::erase_if(taken->checkpoints, [&](const auto& one) { return one.length > match.length; });
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
    prefix.sequence = std::make_shared<Sequence>(
        Sequence{.tokens = {}, .cache = model_->make_cache(count_of), .checkpoints = {}});
    prefix.sequence->cache.reserve(room);
  }
  prefix.sequence->tokens = tokens;
  prefix.sequence->active = true;
  sequences_.push_back(prefix.sequence);
  count();
  return prefix;
}

Awaited PrefixCache::awaited(const std::vector<int>& tokens, std::size_t level) const {
  Awaited best;
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
    }
  }
  if (best.length < kWorthWaiting || best.sequence->cache.length() >= best.length) {
    return {};
  }
  int cached = 0;
  for (const auto& one : sequences_) {
    if (one->cache.table_key() == key) {
      cached = std::max(cached, std::min(common_with(*one), one->cache.length()));
    }
  }
  return best.length - cached >= kWorthWaiting ? best : Awaited{};
}

/// Those that begin `whole` have nothing that it lacks.
void PrefixCache::erase_prefixes_of(const Sequence& whole) {
  std::erase_if(sequences_, [&](const auto& one) {
    return !one->active && common_length(one->tokens, whole.tokens) == one->cache.length() &&
           one->cache.table_key() == whole.cache.table_key() &&
           one->cache.rotated_alike() <= whole.cache.rotated_alike();
  });
}

void PrefixCache::release(const std::shared_ptr<Sequence>& sequence) {
  std::erase(sequences_, sequence);
  sequence->active = false;  // whoever awaits it goes on
  const int length = sequence->cache.length();
  if (limit_ > 0 && length > 0) {
    sequence->tokens.resize(std::min(sequence->tokens.size(), static_cast<std::size_t>(length)));
    erase_prefixes_of(*sequence);
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

bool PrefixCache::clear_all() {
  const std::scoped_lock lock(all_mutex);
  bool freed = false;
  for (PrefixCache* one : all_caches()) {
    freed = one->clear() || freed;
  }
  return freed;
}

std::size_t PrefixCache::all_bytes() {
  const std::scoped_lock lock(all_mutex);
  std::size_t bytes = 0;
  for (const PrefixCache* cache : all_caches()) {
    for (const auto& one : cache->sequences_) {
      bytes += one->bytes();
    }
  }
  return bytes;
}

void PrefixCache::count() {
  std::size_t sequences = 0;
  std::size_t bytes = 0;
  for (const auto& one : sequences_) {
    sequences += one->active ? 0 : 1;
    bytes += one->active ? 0 : one->bytes();
  }
  idle_sequences_ = sequences;
  idle_bytes_ = bytes;
}

}  // namespace convergio::engine
