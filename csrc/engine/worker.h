#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

#include "io/error.h"

namespace convergio::engine {

/// Work that is done in slices, so that others get their turn.
class Task {
 public:
  virtual ~Task() = default;

  /// Does one slice; false once there is nothing left. Does not throw.
  virtual bool step() = 0;

  /// True where the next step() only ends it; such a task is stepped before all others, even while
  /// it waits for its first turn. Does not throw, and costs next to nothing.
  virtual bool over() const = 0;

  /// Makes it over, amid a slice too; from any thread.
  virtual void cancel() = 0;
};

/// One thread that owns what belongs to threads (MLX's streams) and does all the work. Tasks take
/// turns, a slice each; at most `most_active` at once, the others wait in the order they came.
class Worker {
 public:
  explicit Worker(std::size_t most_active);
  ~Worker();  ///< as stop()
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Throws Error where the worker is stopped, or the process was forked off after it started.
  void submit(std::shared_ptr<Task> task);

  /// Runs `job` on the thread, between slices, and returns what it returns or throws what it
  /// throws. Throws as submit() does.
  template <typename Job>
  std::invoke_result_t<Job> run(Job job) {
    std::packaged_task<std::invoke_result_t<Job>()> packaged(std::move(job));
    auto result = packaged.get_future();
    post(std::make_unique<Packaged<decltype(packaged)>>(std::move(packaged)));
    try {
      return result.get();
    } catch (const std::future_error&) {  // dropped by stop()
      throw stopped();
    }
  }

  /// Runs `job` some time on the thread; at once, on the caller's, where there is no thread.
  void run_later(std::function<void()> job) noexcept;

  /// Cancels the task at hand and ends the thread; the other tasks are dropped, on the thread. Any
  /// thread but the worker's may call it, any number of times.
  void stop();

 private:
  struct Job {
    virtual ~Job() = default;
    virtual void operator()() = 0;
  };
  template <typename Callable>
  struct Packaged : Job {
    explicit Packaged(Callable callable) : call(std::move(callable)) {}
    void operator()() override { call(); }
    Callable call;
  };

  bool forked() const;
  std::unique_lock<std::mutex> enter();
  void post(std::unique_ptr<Job>&& job);  ///< moved from only where it does not throw
  static Error stopped();
  void loop();
  std::unique_ptr<Job> next_job();
  std::shared_ptr<Task> next_task();

  const std::size_t most_active_;
  const pid_t process_;
  std::mutex ending_;  ///< of those who call stop()
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> jobs_;
  std::deque<std::shared_ptr<Task>> waiting_;
  std::deque<std::shared_ptr<Task>> active_;  ///< touched by the thread alone
  std::shared_ptr<Task> running_;             ///< set by the thread alone
  bool stopping_ = false;
  std::unique_ptr<std::thread> thread_;
};

}  // namespace convergio::engine
