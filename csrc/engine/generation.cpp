#include "engine/generation.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "engine/device_sampler.h"
#include "engine/failure.h"
#include "kernels/primitive.h"
#include "kernels/view.h"
#include "mlx/memory.h"
#include "mlx/ops.h"
#include "mlx/stream.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

constexpr int kReservedAnswer = 512;  ///< tokens of the answer that get room from the start
/// Weights that a step reads within a millisecond, which is what it takes to hand its ops to
/// another thread.
constexpr std::size_t kSmallStep = 16 << 20;

[[noreturn]] void refuse(const std::string& what, ErrorKind kind = ErrorKind::InvalidRequest) {
  throw Error(kind, "[engine] " + what);
}

void validate(const model::Model& model, const Request& request) {
  const RequestOptions& options = request.options();
  check_prompt(model, request.prompt());
  if (options.max_tokens < 1) {
    refuse("max_tokens is " + std::to_string(options.max_tokens) + ", which must be at least 1.");
  }
  if (options.prefill_chunk < 1) {
    refuse("prefill_chunk is " + std::to_string(options.prefill_chunk) +
           ", which must be at least 1.");
  }
  if (options.timeout && !(*options.timeout > 0)) {
    refuse("timeout is " + std::to_string(*options.timeout) + " s, which must be above 0.");
  }
  options.sampling.validate(model.vocab_size());
  const auto prompt = static_cast<int>(request.prompt().size());
  if (options.max_tokens > model.context_window() - prompt) {
    refuse("a prompt of " + std::to_string(prompt) + " tokens and max_tokens of " +
               std::to_string(options.max_tokens) + " exceed the context window of " +
               std::to_string(model.context_window()) +
               " tokens; shorten the prompt or lower max_tokens.",
           ErrorKind::ContextLength);
  }
}

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

bool on_gpu() { return mx::default_device() == mx::Device::gpu; }

/// What a failed evaluation had begun ends before the memory that it uses is freed.
void settle(const Error& error) {
  if (error.kind() != ErrorKind::OutOfMemory && error.kind() != ErrorKind::InferenceFailed) {
    return;
  }
  try {
    mx::synchronize();
  } catch (const std::exception&) {  // the same failure again
  }
}

Sample read(const mx::array& chosen) {
  mx::array token = chosen;
  const int id = token.item<int>();
  if (id < 0) {
    throw logits_not_finite();
  }
  return {.token = id, .logprob = {}, .top = {}};
}

}  // namespace

void check_prompt(const model::Model& model, const std::vector<int>& tokens) {
  if (tokens.empty()) {
    refuse("the prompt is empty; give it at least one token.");
  }
  for (const int token : tokens) {
    if (token < 0 || token >= model.vocab_size()) {
      refuse("the prompt has token " + std::to_string(token) + ", which must be from 0 to " +
             std::to_string(model.vocab_size() - 1) + ".");
    }
  }
  if (tokens.size() > static_cast<std::size_t>(model.context_window())) {
    refuse("a prompt of " + std::to_string(tokens.size()) +
               " tokens exceeds the context window of " + std::to_string(model.context_window()) +
               " tokens; shorten the prompt.",
           ErrorKind::ContextLength);
  }
}

Generation::Generation(std::shared_ptr<LoadedModel> loaded, std::shared_ptr<Request> request)
    : loaded_(std::move(loaded)),
      model_(*loaded_->model),
      request_(std::move(request)),
      options_(request_->options()),
      on_device_(on_gpu() && samples_on_device(options_.sampling)),
      ahead_(on_device_ && !request_->constraint()),
      beside_(request_->constraint() && model_.step_bytes() > kSmallStep),
      sampler_((validate(model_, *request_), options_.sampling), request_->prompt()),
      so_far_(request_->prompt()),
      told_(so_far_.size()) {
  stats_.prompt_tokens = static_cast<int>(request_->prompt().size());
}

Generation::~Generation() {
  if (!finished_) {
    fail(Error(ErrorKind::Cancelled, "[engine] the engine was shut down during the request."));
  }
}

bool Generation::step() {
  try {
    request_->check();
    if (!sequence_) {
      start();
    }
    if (queued_) {
      advance_ahead();
    } else {
      advance();
    }
  } catch (...) {
    const Error error = classify(std::current_exception(), ErrorKind::InferenceFailed);
    settle(error);
    if (error.kind() == ErrorKind::Cancelled) {
      finish(Finish::Cancelled);
    } else if (error.kind() != ErrorKind::OutOfMemory || !start_over()) {
      fail(error);
    }
  }
  return !finished_;
}

/// Runs ids after the cache. A forward that is interrupted or fails leaves the cache as it was.
mx::array Generation::pass(const mx::array& ids, bool interruptible) {
  model::Model::Interrupt interrupt;
  if (interruptible && !on_gpu()) {
    interrupt = [this] { request_->check(); };
  }
  try {
    return model_.forward(ids, cache(), interrupt);
  } catch (...) {
    cache().rollback();
    throw;
  }
}

void Generation::start() {
  if (stats_.output_tokens == 0) {
    started_ = Clock::now();
    stats_.queued = seconds(request_->submitted(), started_);
  }
  const int planned = stats_.prompt_tokens + options_.max_tokens;
  const int answer = std::min(options_.max_tokens, kReservedAnswer);
  Prefix prefix = loaded_->prefixes.begin(so_far_, planned, answer);
  sequence_ = std::move(prefix.sequence);
  if (stats_.output_tokens == 0) {
    stats_.cached_tokens = prefix.length;
    stats_.prefix_miss = prefix.miss;
    stats_.prefix_missed_at = prefix.missed_at;
  }
  if (planned > cache().lossless_length()) {
    marks_ = {prefix.missed_at, stats_.prompt_tokens};
  }
}

/// Gives back all memory that can be had and runs the tokens again; false where there is none.
bool Generation::start_over() {
  if (!PrefixCache::clear_all()) {
    return false;
  }
  if (sequence_) {
    so_far_ = sequence_->tokens;
    loaded_->prefixes.drop(sequence_);
  }
  sequence_.reset();
  queued_.reset();
  queued_tokens_ = stats_.output_tokens;
  mx::clear_cache();
  return true;
}

/// Runs the tokens that the cache lacks, a chunk at most; the last of them chooses the next.
void Generation::advance() {
  const auto from = tokens().begin() + cache().length();
  const auto missing = static_cast<int>(tokens().end() - from);
  const int n = next_chunk(missing);
  std::optional<kernels::Eager> eager;
  if (n < missing || !beside_) {
    eager.emplace();
  }
  const mx::array hidden = pass(mx::array(from, {n}, mx::int32), n > 1);
  if (std::ranges::find(marks_, cache().length()) != marks_.end()) {
    sequence_->mark();
  }
  if (n < missing) {
    mx::eval(cache().arrays());
    if (stats_.output_tokens == 0) {
      stats_.prefill = seconds(started_, Clock::now());
    }
    return;
  }
  const mx::array logits = model_.logits(kernels::last_row(hidden));
  if (ahead_) {
    queue(logits);
  } else {
    choose(logits);
  }
}

/// How many of the missing tokens are run in one pass: a chunk, or up to a mark, where neither
/// leaves too few for the next.
int Generation::next_chunk(int missing) const {
  int n = std::min(options_.prefill_chunk, missing);
  for (const int mark : marks_) {
    const int left = mark - sequence_->cache.length();
    if (left >= kBulkRows && missing - left >= kBulkRows) {
      n = std::min(n, left);
    }
  }
  if (n < missing && missing - n < kBulkRows && n >= 2 * kBulkRows) {
    n = missing - kBulkRows;
  }
  return n;
}

/// Queues the pass after the token that is being computed, then reads that token.
void Generation::advance_ahead() {
  const mx::array token = *queued_;
  if (queued_tokens_ < options_.max_tokens) {
    queue(model_.logits(pass(mx::reshape(token, {1}), false)));
  }
  take(read(token));
}

void Generation::queue(const mx::array& logits) {
  queued_ = sample_on_device(logits, options_.sampling, static_cast<std::uint64_t>(queued_tokens_));
  ++queued_tokens_;
  mx::async_eval(*queued_);
}

/// Chooses the next token, or learns it from the constraint.
void Generation::choose(const mx::array& logits) {
  if (!request_->constraint()) {
    take(sample(logits, nullptr));
    return;
  }
  mx::async_eval(logits);
  if (forced_.empty()) {
    const Constraint::Next next = consult(logits);
    if (std::holds_alternative<Constraint::Stop>(next)) {
      finish(Finish::Stop);
      return;
    }
    if (const auto* allowed = std::get_if<TokenMask>(&next)) {
      take(sample(logits, allowed));
      return;
    }
    const std::vector<int>& tokens = std::get<Constraint::Forced>(next).tokens;
    forced_.assign(tokens.begin(), tokens.end());
  }
  if (options_.sampling.logprobs) {  // of each token, which takes a pass each
    const TokenMask allowed = only(forced_.front());
    forced_.pop_front();
    take(sample(logits, &allowed));
    return;
  }
  while (!forced_.empty() && !finished_) {
    take({.token = forced_.front(), .logprob = {}, .top = {}}, /*forced=*/true);
    forced_.pop_front();
  }
}

/// Asks the constraint, while `logits` are being computed.
Constraint::Next Generation::consult(const mx::array& logits) {
  const auto accepted = std::span<const int>(tokens()).subspan(told_);
  const Clock::time_point asked = Clock::now();
  Constraint::Next next = request_->constraint()->next(accepted);
  const double took = seconds(asked, Clock::now());
  stats_.mask += took;
  if (logits.is_available()) {
    stats_.mask_wait += took;
  }
  told_ = tokens().size();
  check_next(next, model_.vocab_size());
  return next;
}

Sample Generation::sample(const mx::array& logits, const TokenMask* allowed) {
  if (on_device_) {
    const auto step = static_cast<std::uint64_t>(stats_.output_tokens);
    const mx::array left = allowed == nullptr ? logits : masked(logits, *allowed);
    return read(sample_on_device(left, options_.sampling, step));
  }
  mx::array row = mx::astype(logits, mx::float32);
  mx::eval(row);
  return sampler_.sample({row.data<float>(), row.size()}, allowed);
}

/// One token is chosen: it ends the answer or joins it.
void Generation::take(Sample sample, bool forced) {
  const Clock::time_point now = Clock::now();
  if (stats_.output_tokens == 0) {
    first_token_ = now;
    stats_.prefill = seconds(started_, now);
  }
  stats_.decode = seconds(first_token_, now);
  stats_.kv_bytes = cache().bytes();
  tokens().push_back(sample.token);
  if (std::ranges::find(options_.stop_tokens, sample.token) != options_.stop_tokens.end()) {
    finish(Finish::Stop);
    return;
  }
  sampler_.accept(sample.token);
  ++stats_.output_tokens;
  stats_.forced_tokens += forced ? 1 : 0;
  request_->emit(std::move(sample), stats_);
  if (stats_.output_tokens >= options_.max_tokens) {
    finish(Finish::Length);
  }
}

void Generation::finish(Finish finish) {
  finished_ = true;
  release(/*sound=*/true);
  request_->finish(finish, stats_);
}

void Generation::fail(const Error& error) {
  finished_ = true;
  release(error.kind() == ErrorKind::Timeout || error.kind() == ErrorKind::Constraint);
  if (error.kind() == ErrorKind::OutOfMemory) {
    mx::clear_cache();
  }
  request_->fail(error, stats_);
}

/// Leaves the sequence to others, or to nobody.
void Generation::release(bool sound) {
  queued_.reset();
  if (!sequence_) {
    return;
  }
  if (sound) {
    loaded_->prefixes.keep(sequence_);
  } else {
    loaded_->prefixes.drop(sequence_);
  }
  sequence_.reset();
}

}  // namespace convergio::engine
