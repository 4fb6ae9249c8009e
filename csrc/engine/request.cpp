#include "engine/request.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace convergio::engine {

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

void Notifier::post(std::int64_t id) {
  {
    const std::scoped_lock lock(mutex_);
    if (std::ranges::find(ids_, id) != ids_.end()) {
      return;
    }
    ids_.push_back(id);
  }
  changed_.notify_one();
}

std::vector<std::int64_t> Notifier::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || !ids_.empty(); });
  return std::exchange(ids_, {});
}

void Notifier::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

Request::Request(std::vector<int> prompt, RequestOptions options)
    : prompt_(std::move(prompt)), options_(std::move(options)) {}

void Request::check() const {
  if (cancelled_) {
    throw Error(ErrorKind::Cancelled, "[engine] the request was cancelled.");
  }
  if (!options_.timeout) {
    return;
  }
  const std::chrono::duration<double> spent = Clock::now() - submitted_;
  if (spent.count() >= *options_.timeout) {
    std::ostringstream text;
    text << "[engine] the request took longer than its deadline of " << *options_.timeout
         << " s; allow it more time, or ask for fewer tokens.";
    throw Error(ErrorKind::Timeout, text.str());
  }
}

News Request::next(std::optional<std::chrono::duration<double>> timeout) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return has_news() || delivered_; };
  if (timeout) {
    changed_.wait_for(lock, *timeout, ready);
  } else {
    changed_.wait(lock, ready);
  }
  News news;
  news.samples = std::exchange(samples_, {});
  news.finish = finish_;
  news.error = error_;
  news.stats = stats_;
  delivered_ = finish_.has_value();
  return news;
}

void Request::notify(std::shared_ptr<Notifier> notifier, std::int64_t id) {
  {
    const std::scoped_lock lock(mutex_);
    notifier_ = std::move(notifier);
    id_ = id;
    if (!has_news()) {
      return;
    }
  }
  announce();
}

void Request::announce() {
  changed_.notify_all();
  std::shared_ptr<Notifier> notifier;
  {
    const std::scoped_lock lock(mutex_);
    notifier = notifier_;
  }
  if (notifier) {
    notifier->post(id_);
  }
}

void Request::emit(Sample sample, const RequestStats& stats) {
  {
    const std::scoped_lock lock(mutex_);
    samples_.push_back(std::move(sample));
    stats_ = stats;
  }
  announce();
}

void Request::finish(Finish finish, const RequestStats& stats) {
  {
    const std::scoped_lock lock(mutex_);
    finish_ = finish;
    stats_ = stats;
  }
  announce();
}

void Request::fail(const Error& error, const RequestStats& stats) {
  {
    const std::scoped_lock lock(mutex_);
    error_ = error;
  }
  finish(Finish::Failed, stats);
}

}  // namespace convergio::engine
