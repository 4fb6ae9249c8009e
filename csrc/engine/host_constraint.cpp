#include "engine/host_constraint.h"

#include <utility>

namespace convergio::engine {

namespace {

thread_local bool is_answering = false;

}  // namespace

void HostConstraint::ask(std::span<const int> accepted) {
  {
    const std::scoped_lock lock(mutex_);
    question_.emplace(accepted.begin(), accepted.end());
  }
  changed_.notify_one();
}

bool HostConstraint::ready() const {
  const std::scoped_lock lock(mutex_);
  return reply_ || error_;
}

Constraint::Next HostConstraint::next() {
  const std::scoped_lock lock(mutex_);
  if (error_) {
    throw *error_;
  }
  Next next = std::move(*reply_);
  reply_.reset();
  return next;
}

void HostConstraint::when_ready(std::function<void()> wake) {
  auto shared = std::make_shared<const std::function<void()>>(std::move(wake));
  const std::scoped_lock lock(mutex_);
  wake_ = std::move(shared);
}

void HostConstraint::close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  changed_.notify_one();
}

std::optional<std::vector<int>> HostConstraint::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || question_; });
  if (closed_) {
    return std::nullopt;
  }
  is_answering = true;
  return std::exchange(question_, std::nullopt);
}

void HostConstraint::reply(Next next) {
  {
    const std::scoped_lock lock(mutex_);
    reply_ = std::move(next);
  }
  settle();
}

void HostConstraint::fail(const Error& error) noexcept {
  {
    const std::scoped_lock lock(mutex_);
    error_ = error;
  }
  settle();
}

void HostConstraint::settle() noexcept {
  is_answering = false;
  std::shared_ptr<const std::function<void()>> wake;
  {
    const std::scoped_lock lock(mutex_);
    wake = wake_;
  }
  if (wake) {
    (*wake)();
  }
}

bool HostConstraint::answering() { return is_answering; }

}  // namespace convergio::engine
