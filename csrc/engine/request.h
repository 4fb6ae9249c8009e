#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/constraint.h"
#include "engine/miss.h"
#include "engine/sampling.h"
#include "io/error.h"

namespace convergio::engine {

using Clock = std::chrono::steady_clock;

inline double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

enum class Finish : std::uint8_t { Stop, Length, Cancelled, Failed };

std::string_view finish_name(Finish finish);

/// Who goes first where requests compete.
enum class Priority : std::uint8_t { Background, Normal, Interactive };

struct RequestOptions {
  SamplingParams sampling;
  Priority priority = Priority::Normal;
  int max_tokens = 0;               ///< of the answer, at least 1
  bool open_ended = false;          ///< max_tokens is what the context window leaves, not a wish
  std::vector<int> stop_tokens;     ///< end the answer and are not part of it
  int prefill_chunk = 256;          ///< tokens a prefill pass; others run between passes
  std::optional<double> timeout;    ///< seconds from the call, prefill included
  double elapsed = 0;               ///< of these, before the request was made
  std::optional<int> known_tokens;  ///< ids that the tokenizer has; those beyond are never chosen
  bool speculate = true;            ///< drafted tokens may be run beside the next; changes no token
};

/// Seconds spent and what was handled, so far.
struct RequestStats {
  double queued = 0;   ///< from submission to the first work
  double prefill = 0;  ///< the prompt's passes, until the first token is chosen
  double decode = 0;   ///< after it
  int prompt_tokens = 0;
  int cached_tokens = 0;          ///< of the prompt, served from the prefix cache
  Miss prefix_miss = Miss::None;  ///< why no more were
  int prefix_missed_at = 0;       ///< tokens up to where that speaks of
  int output_tokens = 0;
  int forced_tokens = 0;    ///< of the output, by the constraint, without a forward each
  int drafted_tokens = 0;   ///< run in a pass before it was known whether they come
  int accepted_tokens = 0;  ///< of those, the ones that came: each without a pass of its own
  double drafting = 0;      ///< to find drafted tokens, and to run them
  double saved = 0;         ///< by those that came, less that
  double mask = 0;          ///< in the constraint, while forward passes run
  double mask_wait = 0;     ///< of that, at most: calls that took longer than their forward pass
  std::size_t kv_bytes = 0;
};

/// Wakes one waiting thread when any of many requests has news: what lets one thread of an
/// asyncio program wait for all of its requests.
class Notifier {
 public:
  /// Makes room for the news of one more request, so that post() allocates nothing.
  void expect();

  /// Of a request that was expected; of its last news `last` is true.
  void post(std::int64_t id, bool last) noexcept;

  /// A request that was expected has no more news.
  void forget() noexcept;

  /// The ids posted since the last call, each once; waits for the first, at most `timeout` seconds.
  /// Empty once closed, or where none came.
  std::vector<std::int64_t> wait(std::optional<double> timeout = std::nullopt);

  void close();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::int64_t> ids_;  ///< with room for those of all expected
  std::size_t expected_ = 0;
  bool closed_ = false;
};

/// What was decided since the last call; `finish` once nothing more will come.
struct News {
  std::vector<Sample> samples;
  std::optional<Finish> finish;
  std::optional<Error> error;  ///< with Finish::Failed
  RequestStats stats;
};

/// One request, between the thread that asks and the worker that answers. Every member may be
/// called from any thread.
class Request {
 public:
  Request(std::vector<int> prompt, RequestOptions options,
          std::shared_ptr<Constraint> constraint = nullptr);
  ~Request();
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  const std::vector<int>& prompt() const { return prompt_; }
  const RequestOptions& options() const { return options_; }
  Clock::time_point submitted() const { return submitted_; }

  /// Ends the request soon, inside prefill too. What was emitted stays.
  void cancel() { cancelled_ = true; }

  /// True once the request is to end: cancelled, or past its deadline.
  bool over() const;

  /// Throws Error (Cancelled or Timeout) where the request is over.
  void check() const;

  /// Waits for news, at most `timeout` seconds; nothing new gives empty News. After the finish was
  /// handed out, gives it again at once.
  News next(std::optional<double> timeout);

  /// `id` is posted at each piece of news from now on.
  void notify(std::shared_ptr<Notifier> notifier, std::int64_t id);

  // for the worker
  const std::shared_ptr<Constraint>& constraint() const { return constraint_; }
  void emit(Sample sample, const RequestStats& stats);
  void finish(Finish finish, const RequestStats& stats) noexcept;
  void fail(const Error& error, const RequestStats& stats) noexcept;

 private:
  bool late() const;
  void let_go();
  bool has_news() const { return !samples_.empty() || finish_; }
  void conclude(Finish finish, std::optional<Error> error, const RequestStats& stats) noexcept;

  const std::vector<int> prompt_;
  const RequestOptions options_;
  std::shared_ptr<Constraint> constraint_;  ///< until the finish: it may hold who holds this
  const Clock::time_point submitted_ = Clock::now();
  std::atomic<bool> cancelled_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Sample> samples_;
  std::optional<Finish> finish_;
  std::optional<Error> error_;
  RequestStats stats_;
  std::shared_ptr<Notifier> notifier_;  ///< until the finish
  std::int64_t id_ = 0;
};

}  // namespace convergio::engine
