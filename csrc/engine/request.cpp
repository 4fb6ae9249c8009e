#include "engine/request.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace convergio::engine {

namespace {

/// Waits until `ready`, at most `timeout` seconds; without end where there is none.
template <class Ready>
void wait_at_most(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                  std::optional<double> timeout, Ready ready) {
  if (!timeout) {
    changed.wait(lock, ready);
  } else if (*timeout > 0) {
    // an hour at most: the clock's own units overflow
    changed.wait_for(lock, std::chrono::duration<double>(std::min(*timeout, 3600.0)), ready);
  }  // else a look: even a wait that is over before it begins sleeps for 0.1 ms
}

}  // namespace

std::string_view finish_name(Finish finish) {
  switch (finish) {
    case Finish::Stop:
      return "stop";
    case Finish::Length:
      return "length";
    case Finish::Cancelled:
      return "cancelled";
    case Finish::Failed:
      return "error";
  }
  return "";
}

void Notifier::expect() {
  const std::scoped_lock lock(mutex_);
  ids_.reserve(ids_.size() + expected_ + 1);
  ++expected_;
}

void Notifier::post(std::int64_t id, bool last) noexcept {
  {
    const std::scoped_lock lock(mutex_);
    expected_ -= last ? 1 : 0;
    if (std::ranges::find(ids_, id) != ids_.end()) {
      return;
    }
    ids_.push_back(id);
  }
  changed_.notify_one();
}

void Notifier::forget() noexcept {
  const std::scoped_lock lock(mutex_);
  --expected_;
}

std::vector<std::int64_t> Notifier::wait(std::optional<double> timeout) {
  std::unique_lock lock(mutex_);
  wait_at_most(changed_, lock, timeout, [this] { return closed_ || !ids_.empty(); });
  std::vector<std::int64_t> ids = ids_;
  ids_.clear();  // and keeps its room
  return ids;
}

void Notifier::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

Request::Request(std::vector<int> prompt, RequestOptions options,
                 std::shared_ptr<Constraint> constraint)
    : prompt_(std::move(prompt)),
      options_(std::move(options)),
      constraint_(std::move(constraint)) {}

Request::~Request() {
  let_go();
  if (notifier_) {
    notifier_->forget();
  }
}

void Request::let_go() {
  if (constraint_) {
    constraint_->close();
    constraint_.reset();
  }
}

bool Request::late() const {
  const std::chrono::duration<double> since = Clock::now() - submitted_;
  return options_.timeout && options_.elapsed + since.count() >= *options_.timeout;
}

bool Request::over() const { return cancelled_ || late(); }

void Request::check() const {
  if (cancelled_) {
    throw Error(ErrorKind::Cancelled, "[engine] the request was cancelled.");
  }
  if (late()) {
    std::ostringstream text;
    text << "[engine] the request took longer than its deadline of " << *options_.timeout
         << " s; allow it more time, or ask for fewer tokens.";
    throw Error(ErrorKind::Timeout, text.str());
  }
}

News Request::next(std::optional<double> timeout) {
  std::unique_lock lock(mutex_);
  wait_at_most(changed_, lock, timeout, [this] { return has_news(); });
  return {
      .samples = std::exchange(samples_, {}), .finish = finish_, .error = error_, .stats = stats_};
}

void Request::notify(std::shared_ptr<Notifier> notifier, std::int64_t id) {
  notifier->expect();
  const std::scoped_lock lock(mutex_);
  id_ = id;
  if (has_news()) {
    notifier->post(id, finish_.has_value());
  }
  if (!finish_) {
    notifier_.swap(notifier);
    if (notifier) {
      notifier->forget();
    }
  }
}

void Request::emit(Sample sample, const RequestStats& stats) {
  {
    const std::scoped_lock lock(mutex_);
    samples_.push_back(std::move(sample));
    stats_ = stats;
    if (notifier_) {
      notifier_->post(id_, /*last=*/false);
    }
  }
  changed_.notify_all();
}

void Request::conclude(Finish finish, std::optional<Error> error,
                       const RequestStats& stats) noexcept {
  let_go();
  std::shared_ptr<Notifier> notifier;  // let go of outside the lock
  {
    const std::scoped_lock lock(mutex_);
    finish_ = finish;
    error_ = std::move(error);
    stats_ = stats;
    notifier.swap(notifier_);
    if (notifier) {
      notifier->post(id_, /*last=*/true);
    }
  }
  changed_.notify_all();
}

void Request::finish(Finish finish, const RequestStats& stats) noexcept {
  conclude(finish, {}, stats);
}

void Request::fail(const Error& error, const RequestStats& stats) noexcept {
  conclude(Finish::Failed, error, stats);
}

}  // namespace convergio::engine
