#include "engine/answer.h"

#include <algorithm>
#include <utility>

#include "engine/request_check.h"
#include "engine/reserve.h"
#include "mlx/memory.h"

namespace convergio::engine {

namespace {

/// Of the time that an answer takes, what drafts may have lost: chances and costs are estimates.
/// Where they have lost more, only those are run that are sure.
constexpr double kMostLost = 0.005;
constexpr double kSure = 0.85;    ///< the chance of each token of such a draft, at least
constexpr double kMostSaved = 4;  ///< tokens that earlier drafts saved, of what later ones may lose

/// A request that can be answered by the model.
const Request& checked(const LoadedModel& loaded, const Request& request) {
  check_request(*loaded.model, request);
  return request;
}

void clear_buffer_cache() noexcept {
  try {
    mx::clear_cache();
  } catch (...) {  // to wait for what uses the buffers takes memory too
  }
}

}  // namespace

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::size_t reachable_bytes(const LoadedModel& loaded, const Request& request) {
  const RequestOptions& options = request.options();
  const auto prompt = static_cast<int>(request.prompt().size());
  const int begin = std::min(options.max_tokens, kReservedAnswer);
  const int end = prompt + (options.open_ended ? begin : options.max_tokens);
  int room = prompt + begin + loaded.prefix_cache.spare(prompt);
  while (room < end) {
    room *= 2;
  }
  return loaded.model->kv_bytes(room);
}

Answer::Answer(std::shared_ptr<LoadedModel> loaded, std::shared_ptr<Request> request)
    : loaded_(std::move(loaded)),
      request_(std::move(request)),
      sampler_(checked(*loaded_, *request_).options().sampling, request_->prompt()),
      so_far_(request_->prompt()) {
  stats_.prompt_tokens = static_cast<int>(request_->prompt().size());
}

bool Answer::may_start() const {
  if (may_start_ || active()) {
    return true;
  }
  if (awaited_.sequence == nullptr) {
    awaited_ = loaded_->prefix_cache.awaited(so_far_, level());
    return awaited_.sequence == nullptr;
  }
  may_start_ = !awaited_.is_coming();
  return may_start_;
}

void Answer::start() {
  const bool first = stats_.output_tokens == 0;
  if (first) {
    started_ = Clock::now();
    stats_.queued = seconds(request_->submitted(), started_);
  }
  model().check_files();
  reserve_for_graphs();
  const int room = std::min(options().max_tokens, kReservedAnswer);
  Prefix prefix = loaded_->prefix_cache.acquire(so_far_, room);
  sequence_ = std::move(prefix.sequence);
  sequence_->level = level();
  may_start_ = true;
  awaited_.sequence.reset();
  if (first) {
    stats_.cached_tokens = prefix.length;
    stats_.prefix_miss = prefix.miss;
    stats_.prefix_missed_at = prefix.missed_at;
  }
  if (stats_.prompt_tokens + options().max_tokens > cache().lossless_length()) {
    checkpoints_ = {prefix.missed_at, stats_.prompt_tokens};
  }
}

bool Answer::restart() noexcept {
  if (deciding_) {
    return false;
  }
  drafted_.clear();
  row_.reset();
  if (sequence_) {
    so_far_ = std::move(sequence_->tokens);
    loaded_->prefix_cache.discard(sequence_);
  }
  sequence_.reset();
  return true;
}

bool Answer::restart_with_memory() noexcept {
  if (deciding_ || !PrefixCache::clear_all()) {
    return false;
  }
  restart();
  clear_buffer_cache();
  return true;
}

void Answer::note_prefill() {
  if (stats_.output_tokens == 0) {
    stats_.prefill = seconds(started_, Clock::now());
  }
}

int Answer::most_drafted(int most) {
  most = std::min(most, options().max_tokens - stats_.output_tokens - 1);
  const auto length = static_cast<int>(tokens().size());
  const bool can = options().speculate && stats_.output_tokens > 0 && most > 0 &&
                   cache().rotates_alike(length + most);
  return can ? most : 0;
}

Draft Answer::propose(int most) {
  most = most_drafted(most);
  if (most == 0) {
    return {};
  }
  if (!drafter_) {
    drafter_.emplace(request_->prompt());
  }
  drafter_->follow(tokens());
  Draft draft = drafter_->propose(tokens(), most);
  if (saved_ < -kMostLost * stats_.decode) {
    const auto unsure = std::ranges::find_if(draft.chances, [](double one) { return one < kSure; });
    draft.cut(static_cast<std::size_t>(unsure - draft.chances.begin()));
  }
  const auto end = std::ranges::find_first_of(draft.tokens, options().stop_tokens);
  draft.cut(static_cast<std::size_t>(end - draft.tokens.begin()));
  return draft;
}

void Answer::begin_pass(std::vector<int> drafted) {
  stats_.drafted_tokens += static_cast<int>(drafted.size());
  drafted_ = std::move(drafted);
  row_ = 0;
  saved_each_ = 0.0;  // until it is known what the pass took
}

void Answer::charge_draft(double took, double each) {
  saved_each_ = each;
  saved_ = std::min(saved_, kMostSaved * each) - took;
}

/// What the cache holds of the pass's drafted tokens stays as long as they come.
void Answer::compare_draft(int token) {
  if (row_ && std::cmp_less(*row_, drafted_.size()) &&
      drafted_[static_cast<std::size_t>(*row_)] == token) {
    ++*row_;
    ++stats_.accepted_tokens;
    saved_ += saved_each_;
    cache().commit(1);
  } else {
    drop_draft();
  }
}

void Answer::drop_draft() {
  row_.reset();
  if (!drafted_.empty()) {
    drafted_.clear();
    cache().rollback();
  }
}

void Answer::take(Sample sample, bool forced) {
  model().check_undamaged();
  const Clock::time_point now = Clock::now();
  if (stats_.output_tokens == 0) {
    first_token_ = now;
    stats_.prefill = seconds(started_, now);
  }
  stats_.decode = seconds(first_token_, now);
  stats_.kv_bytes = cache().bytes();
  deciding_ = true;
  compare_draft(sample.token);
  tokens().push_back(sample.token);
  const std::vector<int>& stops = options().stop_tokens;
  if (std::ranges::find(stops, sample.token) != stops.end()) {
    finish(Finish::Stop);
    return;
  }
  sampler_.accept(sample.token);
  ++stats_.output_tokens;
  stats_.forced_tokens += forced ? 1 : 0;
  request_->emit(std::move(sample), stats_);
  deciding_ = false;
  if (stats_.output_tokens >= options().max_tokens) {
    finish(Finish::Length);
  }
}

void Answer::finish(Finish finish) noexcept {
  finished_ = true;
  release(/*sound=*/true);
  request_->finish(finish, stats_);
}

void Answer::fail(const Error& error) noexcept {
  finished_ = true;
  release(error.kind() == ErrorKind::Timeout || error.kind() == ErrorKind::Constraint);
  if (error.kind() == ErrorKind::OutOfMemory) {
    clear_buffer_cache();
  }
  request_->fail(error, stats_);
}

/// Returns the sequence to the prefix cache, where it is sound.
void Answer::release(bool sound) noexcept {
  if (!sequence_) {
    return;
  }
  try {
    drop_draft();
    if (sound) {
      loaded_->prefix_cache.release(sequence_);
    } else {
      loaded_->prefix_cache.discard(sequence_);
    }
  } catch (...) {  // no memory to cache it in order, say
    loaded_->prefix_cache.discard(sequence_);
  }
  sequence_.reset();
}

}  // namespace convergio::engine
