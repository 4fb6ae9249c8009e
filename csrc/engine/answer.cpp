#include "engine/answer.h"

#include <algorithm>
#include <utility>

#include "engine/draft_model.h"
#include "engine/request_check.h"
#include "engine/reserve.h"
#include "mlx/memory.h"

namespace convergio::engine {

namespace {

/// Of each token of a draft that is run although drafts have lost too much: its chance, at least.
constexpr double kSure = 0.85;

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

std::size_t reachable_bytes(const LoadedModel& loaded, const Request& request) {
  const RequestOptions& options = request.options();
  const auto prompt = static_cast<int>(request.prompt().size());
  const int begin = std::min(options.max_tokens, kReservedAnswer);
  const int end = prompt + (options.open_ended ? begin : options.max_tokens);
  int room = prompt + begin + loaded.prefix_cache.spare(prompt);
  while (room < end) {
    room *= 2;
  }
  const std::size_t drafts =
      loaded.draft && options.speculate ? loaded.draft->loaded->model->kv_bytes(room) : 0;
  return loaded.model->kv_bytes(room) + drafts +
         loaded.prefix_cache.snapshot_bytes(prompt, options.max_tokens);
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
  const Prefix prefix =
      loaded_->prefix_cache.acquire(so_far_, std::min(options().max_tokens, kReservedAnswer));
  sequence_ = prefix.sequence;
  sequence_->level = level();
  may_start_ = true;
  awaited_.sequence.reset();
  if (first) {
    stats_.cached_tokens = prefix.length;
    stats_.prefix_miss = prefix.miss;
    stats_.prefix_missed_at = prefix.missed_at;
  }
  if (snapshots_) {
    loaded_->prefix_cache.want_snapshots(prefix, options().max_tokens - stats_.output_tokens);
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
  snapshots_ = false;
  restart();
  if (model_drafter_) {
    model_drafter_->give_up();
  }
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
                   !cache().has_states() && cache().rotates_alike(length + most);
  return can ? most : 0;
}

Draft Answer::look_up(int most) {
  most = most_drafted(most);
  if (most == 0) {
    return {};
  }
  if (!lookup_) {
    lookup_.emplace(request_->prompt());
  }
  lookup_->follow(tokens());
  Draft draft = lookup_->propose(tokens(), most);
  if (lookup_account_.in_debt(stats_.decode)) {
    const auto unsure = std::ranges::find_if(draft.chances, [](double one) { return one < kSure; });
    draft.cut(static_cast<std::size_t>(unsure - draft.chances.begin()));
  }
  const auto end = std::ranges::find_first_of(draft.tokens, options().stop_tokens);
  draft.cut(static_cast<std::size_t>(end - draft.tokens.begin()));
  return draft;
}

ModelDrafter* Answer::model_drafter() {
  if (!loaded_->draft || !options().speculate) {
    return nullptr;
  }
  if (!model_drafter_) {
    model_drafter_ =
        std::make_unique<ModelDrafter>(loaded_->draft, sampler_, options(), model().vocab_size());
  }
  return model_drafter_.get();
}

bool Answer::drafts_always() const { return loaded_->draft && loaded_->draft->always; }

int Answer::room() const {
  return std::min(options().max_tokens - stats_.output_tokens, kReservedAnswer);
}

void Answer::begin_pass(std::vector<int> drafted, DraftAccount& account) {
  stats_.drafted_tokens += static_cast<int>(drafted.size());
  drafted_ = std::move(drafted);
  row_ = 0;
  pass_account_ = &account;
  account.begin_pass();
}

/// What the cache holds of the pass's drafted tokens stays as long as they come.
void Answer::compare_draft(int token) {
  if (row_ && std::cmp_less(*row_, drafted_.size()) &&
      drafted_[static_cast<std::size_t>(*row_)] == token) {
    ++*row_;
    ++stats_.accepted_tokens;
    pass_account_->note_accepted();
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

/// What the caches hold, and what drafts took and saved.
void Answer::count() {
  stats_.kv_bytes = cache().bytes();
  stats_.drafting = lookup_account_.spent();
  stats_.saved = lookup_account_.saved();
  if (model_drafter_) {
    stats_.kv_bytes += model_drafter_->bytes();
    stats_.drafting += model_drafter_->account().spent();
    stats_.saved += model_drafter_->account().saved();
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
  deciding_ = true;
  compare_draft(sample.token);
  count();
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
  if (model_drafter_) {
    model_drafter_->release();
  }
  if (!sequence_) {
    return;
  }
  try {
    drop_draft();
    if (sound && !cache().torn()) {
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
