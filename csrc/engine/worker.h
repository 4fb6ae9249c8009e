#pragma once

#include <sys/types.h>

#include <array>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <future>
#include <initializer_list>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "io/error.h"

namespace convergio::engine {

class Task;
using Tasks = std::list<std::shared_ptr<Task>>;

/// Levels of tasks: those of a higher one go first.
constexpr std::size_t kLevels = 3;

/// Steps in a row that a higher level takes from one that is ready too, and places in a row that it
/// takes from one that waits too.
constexpr int kPassedOver = 7;

/// Work that is done in slices, between which other tasks run.
class Task {
 public:
  virtual ~Task() = default;

  /// Does one slice of each of `tasks`: of this one, the first, and of those that joined it. Does
  /// not throw.
  virtual void step(const Tasks& tasks) = 0;

  /// True once there is nothing left of it.
  virtual bool finished() const = 0;

  /// Whether its next slice may be done together with those of `tasks`. Does not throw; cheap.
  virtual bool joins(const Tasks& /*tasks*/) const { return false; }

  /// True where the next step() only ends it; such a task is stepped before all others, even while
  /// it waits for its first slice. Does not throw; cheap.
  virtual bool over() const = 0;

  /// Below kLevels; the same all its life. Does not throw; cheap.
  virtual std::size_t level() const { return 0; }

  /// Bytes that it has or may come to need. Does not throw; cheap.
  virtual std::size_t reserves() const { return 0; }

  /// Bytes that a step of it takes besides, for a while. Does not throw; cheap.
  virtual std::size_t step_bytes() const { return 0; }

  /// False while it waits for another thread, which then calls Worker::wake(). Does not throw;
  /// cheap.
  virtual bool ready() const { return true; }

  /// True while another task does what it could make use of. Does not throw; cheap.
  virtual bool held_up() const { return false; }

  /// Ends it soon, during a slice too; from any thread.
  virtual void cancel() = 0;
};

/// One thread that owns what is bound to a thread (MLX's streams) and does all the work. Tasks of
/// the highest level that has a ready one alternate, a slice each, or of several together where
/// they join. Those of a lower level keep what they have, and have a part in one step of eight at
/// least. Of each level at most `most_active` that are ready alternate, as far as what they reserve
/// fits into the room there is; the others wait in the order they came, those of higher levels
/// first, unless seven of them came before one. Only the calls that queue something allocate,
/// before they change anything: once queued, a task or job moves from list to list, so that running
/// out of memory never affects the thread between two slices.
class Worker {
  struct Job {
    virtual ~Job() = default;
    virtual void operator()() = 0;
  };
  using Jobs = std::list<std::unique_ptr<Job>>;
  template <class Value>
  using Levels = std::array<Value, kLevels>;

 public:
  /// A job that run_later() queues without asking for memory.
  class Later {
   public:
    explicit Later(std::function<void()> job) {
      one_.push_back(std::make_unique<Packaged<std::function<void()>>>(std::move(job)));
    }

   private:
    friend Worker;
    Jobs one_;
  };

  /// `room`: bytes that tasks may reserve together; called on the thread, and does not throw.
  explicit Worker(std::size_t most_active, std::function<std::size_t()> room = unbounded);
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
    Jobs one;
    one.push_back(std::make_unique<Packaged<decltype(packaged)>>(std::move(packaged)));
    post(one);
    try {
      return result.get();
    } catch (const std::future_error&) {  // dropped by stop()
      throw stopped();
    }
  }

  /// Runs a job, which must not throw, some time on the thread; at once, on the caller's, where
  /// there is no thread.
  void run_later(Later later) noexcept;

  struct Stats {
    std::size_t waiting = 0;   ///< tasks that have no place or no room yet
    std::size_t running = 0;   ///< those that alternate, or wait for another thread
    std::size_t reserved = 0;  ///< bytes, by those that run
  };
  /// From any thread.
  Stats stats();

  /// A task has become ready. From any thread.
  void wake();

  /// Cancels the tasks at hand and ends the thread; the other tasks are dropped, on the thread. Any
  /// thread but the worker's may call it, any number of times.
  void stop();

 private:
  template <typename Callable>
  struct Packaged : Job {
    explicit Packaged(Callable callable) : call(std::move(callable)) {}
    void operator()() override { call(); }
    Callable call;
  };

  bool forked() const;
  std::unique_lock<std::mutex> enter();
  void post(Jobs& one);  ///< takes it, unless it throws
  static Error stopped();
  void loop();
  Jobs next_job();
  static std::size_t unbounded() { return std::numeric_limits<std::size_t>::max(); }
  std::optional<std::size_t> next_waiting(const Levels<std::size_t>& busy) const;
  void admit();
  Tasks next_tasks();
  static bool holds(std::size_t room, std::initializer_list<std::size_t> parts);
  static bool can_run(const Task& task);
  Levels<bool> open_levels() const;
  void note_passed_over(const Tasks& next);
  void drop_finished(std::unique_lock<std::mutex>& lock);

  const std::size_t most_active_;
  const std::function<std::size_t()> room_;
  const pid_t process_;
  std::mutex ending_;  ///< of those who call stop()
  std::mutex mutex_;
  std::condition_variable changed_;
  Jobs jobs_;
  Levels<Tasks> waiting_;
  Tasks active_;               ///< changed by the thread alone, under the mutex
  Tasks running_;              ///< whose slices are being done; set by the thread alone
  std::size_t reserved_ = 0;   ///< by those that are active
  Levels<int> overtaken_{};    ///< tasks of higher levels that came before the first that waits
  Levels<int> passed_over_{};  ///< steps since a level that is ready had a part in one
  bool stopping_ = false;
  std::unique_ptr<std::thread> thread_;
};

}  // namespace convergio::engine
