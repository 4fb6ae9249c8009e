#include "engine/generation.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "engine/device_failures.h"
#include "engine/drafting.h"
#include "engine/failure.h"
#include "engine/memory.h"
#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "mlx/stream.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

/// Of a pass that requests decode in, with a part of a prompt or drafted tokens.
constexpr int kPassRows = PassCosts::kMostRows;
constexpr int kLeastRows = 8;  ///< of that part, however many decode

/// Requests between their first token and their end, by level; touched by the worker's thread
/// alone.
std::array<int, kLevels> decoding{};

/// Made beforehand: a destructor may not throw.
const Error kShutDown(ErrorKind::Cancelled,
                      "[engine] the engine was shut down during the request.");
const Error kDeviceFailed(ErrorKind::InferenceFailed,
                          "[engine] the GPU failed while a constraint decided on a token, so that "
                          "the answer cannot start over; ask again.");

/// What a failed evaluation had begun ends before the memory that it uses is freed.
void wait_after(const Error& error) {
  if (error.kind() != ErrorKind::OutOfMemory && error.kind() != ErrorKind::InferenceFailed) {
    return;
  }
  try {
    mx::synchronize();
  } catch (...) {  // the same failure again
  }
}

/// Refuses a prompt that has no room even where nothing else has any.
void check_room(const LoadedModel& loaded, const Request& request) {
  const auto tokens = static_cast<int>(request.prompt().size()) + 1;
  const std::size_t needed = loaded.model->kv_bytes(tokens);
  if (const std::size_t most = most_for_caches(); needed > most) {
    throw Error(ErrorKind::OutOfMemory,
                "[engine] the KV cache of a prompt of " + std::to_string(tokens - 1) +
                    " tokens takes " + std::to_string(needed) +
                    " bytes, and the memory limit leaves " + std::to_string(most) +
                    "; shorten the prompt, raise the limit, or use a smaller model.");
  }
}

}  // namespace

Generation::Generation(const std::shared_ptr<LoadedModel>& loaded,
                       const std::shared_ptr<Request>& request)
    : answer_(loaded, request),
      reachable_(reachable_bytes(*loaded, *request)),
      decoder_(make_decoder(answer_)),
      device_failures_(engine::device_failures()) {
  check_room(*loaded, *request);
}

Generation::~Generation() {
  if (!answer_.finished()) {
    answer_.fail(kShutDown);
  }
  end_slice();
}

std::size_t Generation::level() const {
  static_assert(static_cast<std::size_t>(Priority::Interactive) < kLevels);
  return answer_.level();
}

std::size_t Generation::reserves() const { return std::max(reachable_, answer_.held_bytes()); }

/// Active, and with no more than the last token to be run.
bool Generation::decodes() const { return answer_.active() && answer_.missing() <= 1; }

bool Generation::joins(const Tasks& tasks) const {
  const auto* first = dynamic_cast<const Generation*>(tasks.front().get());
  if (first == nullptr || alone_ || first->alone_ || !kernels::own_kernels() ||
      &first->answer_.model() != &answer_.model()) {
    return false;
  }
  const auto together = static_cast<std::size_t>(std::ranges::count_if(
      tasks, [](const auto& one) { return static_cast<const Generation&>(*one).decodes(); }));
  return decodes() ? together < kMostTogether : together == tasks.size();
}

void Generation::step(const Tasks& tasks) {
  std::array<Generation*, kMostTogether + 1> company{};
  std::size_t count = 0;
  for (const auto& task : tasks) {
    auto* one = static_cast<Generation*>(task.get());
    one->attempt([&] {
      if (one->begin_slice()) {
        company[count++] = one;
      }
    });
  }
  const std::span<Generation*> those(company.data(), count);
  std::array<Share*, kMostTogether + 1> shares{};
  for (std::size_t i = 0; i < count; ++i) {
    those[i]->choose_share(static_cast<int>(count) - 1);
    shares[i] = &those[i]->share_;
  }
  choose_drafts({shares.data(), count});
  for (Generation* one : those) {
    one->attempt([&] { one->make_room(); });
  }
  if (const std::size_t left = those_left(those); left > 0) {
    run_timed({company.data(), left});
  }
  for (const auto& task : tasks) {
    static_cast<Generation*>(task.get())->end_slice();
  }
}

/// Moves those whose requests have not ended to the front.
std::size_t Generation::those_left(std::span<Generation*> company) {
  const auto ended = std::ranges::stable_partition(
      company, [](const Generation* one) { return one->answer_.active(); });
  return company.size() - ended.size();
}

/// Does a part of a slice that concerns this request alone.
template <class Part>
void Generation::attempt(const Part& part) noexcept {
  try {
    part();
  } catch (...) {
    handle(classify(std::current_exception(), ErrorKind::InferenceFailed));
  }
}

/// What comes before a pass; false where this request has none in this slice.
bool Generation::begin_slice() {
  answer_.request().check();
  follow_device();
  if (answer_.finished()) {
    return false;
  }
  if (!answer_.active()) {
    answer_.start();
  }
  if (decoder_->pending()) {
    decoder_->resume();
  }
  if (answer_.finished() || decoder_->pending()) {
    return false;
  }
  decoder_->take_certain();
  if (answer_.finished()) {
    return false;
  }
  if (!answer_.cache().rotate_for(static_cast<int>(answer_.tokens().size()))) {
    recompute();
  }
  return true;
}

/// Runs one pass for all, and notes how long it takes.
void Generation::run_timed(Company company) noexcept {
  int rows = 0;
  for (const Generation* one : company) {
    rows += one->decodes() ? 0 : one->share_.rows;
  }
  const Clock::time_point begin = Clock::now();
  Pace& pace = company.front()->answer_.pace();
  run(company);
  if (kernels::own_kernels() || !company.front()->share_.last) {  // else it is only queued
    pace.note(rows, seconds(begin, Clock::now()));
  }
}

/// Runs one pass for all. What fails in it before there are logits fails for all: they start over,
/// each alone, where whoever caused it fails again.
void Generation::run(Company company) noexcept {
  std::optional<mx::array> logits;
  try {
    logits = run_pass(company);
  } catch (...) {
    const Error error = classify(std::current_exception(), ErrorKind::InferenceFailed);
    wait_after(error);
    for (Generation* one : company) {
      company.size() == 1 ? one->handle(error) : one->start_over_alone(error);
    }
    return;
  }
  int row = 0;
  for (Generation* one : company) {
    const int rows = logits_of(one->share_);
    one->attempt([&] {
      const kernels::Eager eager;  // rows of what is there are a view
      one->end_share(rows > 0 ? std::optional(kernels::rows_between(*logits, row, row + rows))
                              : logits);
    });
    row += rows;
  }
}

std::optional<mx::array> Generation::run_pass(Company company) {
  std::vector<Share> shares;
  for (const Generation* one : company) {
    shares.push_back(one->share_);
  }
  const Clock::time_point begin = Clock::now();
  std::optional<mx::array> logits = engine::run_pass(shares);
  if (!logits) {
    return logits;
  }
  Answer& first = company.front()->answer_;
  const auto note_cost = [&] {
    const double took = seconds(begin, Clock::now());
    first.pass_costs().note(rows_of(shares), took);
    charge_drafts(shares, took);
  };
  const bool computed = logits->is_available();
  if (computed) {
    note_cost();
  }
  for (Generation* one : company) {
    if (one->share_.last) {
      one->attempt([&] { one->decoder_->prepare(*logits); });
    }
  }
  const bool all_decide = std::ranges::all_of(company, [](const Generation* one) {
    return one->answer_.active() && one->decoder_->ready();
  });
  if (company.size() > 1 || (kernels::own_kernels() && all_decide)) {
    mx::eval(*logits);
    first.model().check_undamaged();
    if (!computed) {
      note_cost();
    }
  }
  return logits;
}

/// How many tokens of a prompt are run beside `others` that decode in the pass: few where any
/// request of this level or a higher one decodes, in the pass or not, so that it keeps its pace.
int Generation::rows_beside(int others) const {
  const int chunk = answer_.options().prefill_chunk;
  const int hurrying = std::accumulate(decoding.begin() + static_cast<std::ptrdiff_t>(level()),
                                       decoding.end(), counted_ ? -1 : 0);
  if (hurrying <= 0 || !(kernels::own_kernels() || answer_.pace().bound())) {
    return chunk;
  }
  const int usual = kernels::own_kernels() ? std::max(kPassRows - others, kLeastRows) : chunk;
  return std::min(chunk, answer_.pace().rows(usual));
}

/// Those of the missing tokens that are run next.
void Generation::choose_share(int others) {
  const int missing = answer_.missing();
  const int n = std::min(missing, decodes() ? 1 : rows_beside(others));
  share_ = {.answer = &answer_,
            .decoder = decoder_.get(),
            .rows = n,
            .last = n == missing,
            .marks = answer_.sequence().marks(n)};
}

/// Where there is no memory for keys and values, that is found here and not in a pass with others.
void Generation::make_room() { answer_.cache().make_room(share_.rows + share_.drafted); }

/// Takes the logits after the last of the tokens, or waits for what a part of them has put into
/// the cache.
void Generation::end_share(const std::optional<mx::array>& logits) {
  if (!answer_.active()) {
    return;  // ended, or to start over, since its constraint failed
  }
  if (share_.last) {
    decoder_->decode(*logits);
    return;
  }
  mx::eval(answer_.cache().arrays());
  answer_.model().check_undamaged();
  answer_.note_prefill();
}

void Generation::end_slice() noexcept {
  if (finished()) {
    decoder_->reset();
  }
  if (const bool now = !finished() && answer_.stats().output_tokens > 0; now != counted_) {
    decoding[level()] += now ? 1 : -1;
    counted_ = now;
  }
}

/// After what threw: the request ends, or starts over with more memory.
void Generation::handle(const Error& error) noexcept {
  wait_after(error);
  const bool with_memory = error.kind() == ErrorKind::OutOfMemory && answer_.restart_with_memory();
  const bool device_failed = note_device_failure(error);
  device_failures_ = engine::device_failures();
  // who fails twice at a token may be who makes the device fail
  const int tokens = answer_.stats().output_tokens;
  const bool again = device_failed && std::exchange(failed_at_, tokens) != tokens;
  if (error.kind() == ErrorKind::Cancelled) {
    answer_.finish(Finish::Cancelled);
  } else if (with_memory || (again && answer_.restart())) {
    decoder_->reset();
  } else {
    answer_.fail(error);
  }
}

/// Starts over where the device has failed since, for whichever request.
void Generation::follow_device() {
  if (std::exchange(device_failures_, engine::device_failures()) == engine::device_failures() ||
      !answer_.active()) {
    return;
  }
  if (answer_.restart()) {
    decoder_->reset();
  } else {
    answer_.fail(kDeviceFailed);
  }
}

/// After a pass with others that threw.
void Generation::start_over_alone(const Error& error) noexcept {
  if (!answer_.active()) {
    return;  // ended, or to start over, before
  }
  alone_ = true;
  if (answer_.restart()) {
    decoder_->reset();
  } else {
    answer_.fail(error);
  }
}

/// Empties the cache of a sequence that has outgrown its rotary tables.
void Generation::recompute() {
  const auto length = static_cast<int>(answer_.tokens().size());
  const int left = answer_.options().max_tokens - answer_.stats().output_tokens;
  answer_.cache() = answer_.model().make_cache(length);
  answer_.cache().reserve(length + std::min(left, kReservedAnswer));
  answer_.sequence().snapshots.clear();
}

}  // namespace convergio::engine
