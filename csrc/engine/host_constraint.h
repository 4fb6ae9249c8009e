#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/constraint.h"
#include "io/error.h"

namespace convergio::engine {

/// A constraint that the host's code answers on a thread of its own, which takes questions and
/// replies to them. The engine never waits for it: however long the host takes, the request's
/// deadline and cancel() hold, and other requests continue.
class HostConstraint : public Constraint {
 public:
  // for the engine
  void ask(std::span<const int> accepted) override;
  bool ready() const override;
  Next next() override;
  void when_ready(std::function<void()> wake) override;
  void close() override;

  // for the host's thread
  /// Waits for a question: the tokens accepted since the last. Empty once no more will come. From
  /// here to the reply the thread counts as answering().
  std::optional<std::vector<int>> take();
  void reply(Next next);
  void fail(const Error& error) noexcept;

  /// Whether this thread is answering a constraint: the engine refuses its calls.
  static bool answering();

 private:
  void settle() noexcept;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::vector<int>> question_;
  std::optional<Next> reply_;
  std::optional<Error> error_;
  bool closed_ = false;
  std::shared_ptr<const std::function<void()>> wake_;  ///< shared: to copy it takes no memory
};

}  // namespace convergio::engine
