#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "engine/request.h"
#include "engine/worker.h"

using convergio::Error;
using convergio::ErrorKind;
using namespace convergio::engine;

namespace {

constexpr auto kStopped = "[engine] the engine was shut down with the program; start it again.";
constexpr auto kForked =
    "[engine] this process was forked off after the engine had started, and the engine's thread "
    "stayed behind; start it with multiprocessing's 'spawn' method, or fork before the first model "
    "is loaded.";

/// What tasks did, in order.
class Log {
 public:
  void add(const std::string& what) {
    const std::scoped_lock lock(mutex_);
    text_ += what;
  }
  std::string text() const {
    const std::scoped_lock lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

/// Logs its name once a slice, for so many slices; X where it is destroyed unfinished.
class Counted : public Task {
 public:
  Counted(std::string name, int slices, Log& log)
      : name_(std::move(name)), left_(slices), log_(log) {}
  ~Counted() override {
    if (left_ > 0 && !over_) log_.add("X" + name_);
    owner_ = std::this_thread::get_id();
    ended.set_value(owner_);
  }

  void step(const Tasks& /*tasks*/) override { slice(); }
  bool finished() const override { return left_ == 0 || ended_; }
  bool over() const override { return over_; }
  void cancel() override { over_ = true; }

  std::promise<std::thread::id> ended;

 protected:
  void slice() {
    ended_ = over_;
    log_.add(ended_ ? "-" + name_ : name_);
    left_ -= ended_ ? 0 : 1;
  }
  Log& log() { return log_; }

 private:
  const std::string name_;
  std::atomic<int> left_;
  std::atomic<bool> over_ = false;
  bool ended_ = false;
  std::thread::id owner_;
  Log& log_;
};

/// Keeps the worker busy until it is let go, so that a test can queue without a race.
class Held {
 public:
  explicit Held(Worker& worker)
      : thread_([&] {
          worker.run([this] {
            holding_.set_value();
            go_.get_future().wait();
          });
        }) {
    holding_.get_future().wait();
  }
  ~Held() {
    if (thread_.joinable()) release();
  }
  void release() {
    go_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> holding_;
  std::promise<void> go_;
  std::thread thread_;
};

std::future<std::thread::id> submit(Worker& worker, const std::string& name, int slices, Log& log) {
  auto task = std::make_shared<Counted>(name, slices, log);
  auto ended = task->ended.get_future();
  worker.submit(std::move(task));
  return ended;
}

TEST(jobs_run_on_one_thread_and_give_back) {
  Worker worker(2);
  const std::thread::id here = worker.run([] { return std::this_thread::get_id(); });
  CHECK(here != std::this_thread::get_id());
  CHECK(worker.run([] { return std::this_thread::get_id(); }) == here);
  CHECK(*worker.run([] { return std::make_unique<int>(5); }) == 5);
  worker.run([] {});
  CHECK_THROWS(worker.run([] { throw Error(ErrorKind::LoadFailed, "[test] no."); }), LoadFailed,
               "[test] no.");
  try {
    worker.run([]() -> int { throw std::out_of_range("far"); });
    CHECK(false);
  } catch (const std::out_of_range& error) {
    CHECK_EQ(std::string(error.what()), "far");
  }
}

TEST(tasks_take_turns) {
  Log log;
  Worker worker(3);
  std::vector<std::future<std::thread::id>> ended;
  {
    Held held(worker);
    for (const char* name : {"a", "b", "c"}) ended.push_back(submit(worker, name, 3, log));
  }
  for (auto& one : ended) one.wait();
  CHECK_EQ(log.text(), "abcabcabc");
}

/// Takes its slices together with others of its kind, two at most.
class Sociable : public Counted {
 public:
  using Counted::Counted;
  void step(const Tasks& tasks) override {
    for (const auto& task : tasks) static_cast<Sociable&>(*task).slice();
    log().add(".");
  }
  bool joins(const Tasks& tasks) const override {
    return tasks.size() < 2 && dynamic_cast<const Sociable*>(tasks.front().get()) != nullptr;
  }
};

TEST(tasks_that_join_take_their_slices_together_and_nobody_is_left_out_twice) {
  Log log;
  Worker worker(4);
  std::vector<std::future<std::thread::id>> ended;
  {
    Held held(worker);
    for (const auto& [name, slices] : {std::pair("a", 3), {"b", 1}, {"c", 2}}) {
      auto task = std::make_shared<Sociable>(name, slices, log);
      ended.push_back(task->ended.get_future());
      worker.submit(std::move(task));
    }
    ended.push_back(submit(worker, "x", 2, log));
  }
  for (auto& one : ended) one.wait();
  CHECK_EQ(log.text(), "ab.ca.xca.x");
}

/// Ready once it is told so.
class Patient : public Counted {
 public:
  using Counted::Counted;
  bool ready() const override { return ready_; }
  std::atomic<bool> ready_ = false;
};

TEST(a_task_that_is_not_ready_holds_up_nobody_and_gets_its_turn_when_woken) {
  Log log;
  Worker worker(1);
  const auto patient = std::make_shared<Patient>("p", 1, log);
  worker.submit(patient);
  submit(worker, "a", 2, log).wait();
  submit(worker, "b", 2, log).wait();
  CHECK_EQ(log.text(), "aabb");
  patient->ready_ = true;
  worker.wake();
  while (log.text() != "aabbp") std::this_thread::yield();
}

/// Held up until another has done so many slices.
class HeldUp : public Counted {
 public:
  HeldUp(std::string name, int slices, Log& log, std::size_t until)
      : Counted(std::move(name), slices, log), seen_(log), until_(until) {}
  bool held_up() const override { return seen_.text().size() < until_; }

 private:
  const Log& seen_;
  const std::size_t until_;
};

TEST(a_task_that_is_held_up_keeps_its_place_and_goes_on_in_time) {
  Log log;
  Worker worker(2);
  std::vector<std::future<std::thread::id>> ended;
  {
    Held held(worker);
    ended.push_back(submit(worker, "a", 4, log));
    auto task = std::make_shared<HeldUp>("h", 2, log, 2);
    ended.push_back(task->ended.get_future());
    worker.submit(std::move(task));
    ended.push_back(submit(worker, "b", 1, log));
  }
  for (auto& one : ended) one.wait();
  CHECK_EQ(log.text(), "aahahab");
}

TEST(a_task_that_is_not_ready_ends_when_it_is_over) {
  Log log;
  Worker worker(1);
  const auto patient = std::make_shared<Patient>("p", 1, log);
  worker.submit(patient);
  submit(worker, "a", 1, log).wait();
  patient->cancel();
  while (log.text() != "a-p") std::this_thread::yield();
}

TEST(so_many_are_active_and_the_others_wait_in_order) {
  Log log;
  Worker worker(2);
  std::vector<std::future<std::thread::id>> ended;
  {
    Held held(worker);
    for (const char* name : {"a", "b", "c", "d"}) ended.push_back(submit(worker, name, 2, log));
  }
  for (auto& one : ended) one.wait();
  CHECK_EQ(log.text(), "ababcdcd");
}

/// A task of some level.
template <class Kind>
class At : public Kind {
 public:
  At(std::size_t level, std::string name, int slices, Log& log)
      : Kind(std::move(name), slices, log), level_(level) {}
  std::size_t level() const override { return level_; }

 private:
  const std::size_t level_;
};

struct Wanted {
  std::size_t level;
  const char* name;
  int slices;
};

/// What tasks that are queued together did.
template <class Kind>
std::string order_of(std::size_t most_active, const std::vector<Wanted>& all,
                     std::size_t room = 1000) {
  Log log;
  Worker worker(most_active, [room] { return room; });
  std::vector<std::future<std::thread::id>> ended;
  {
    Held held(worker);
    for (const auto& [level, name, slices] : all) {
      auto task = std::make_shared<At<Kind>>(level, name, slices, log);
      ended.push_back(task->ended.get_future());
      worker.submit(std::move(task));
    }
  }
  for (auto& one : ended) one.wait();
  return log.text();
}

TEST(a_higher_level_goes_first) {
  CHECK_EQ(order_of<Counted>(2, {{0, "a", 2}, {1, "b", 2}, {2, "c", 2}, {2, "d", 1}, {0, "e", 1}}),
           "cdcbbaea");
}

TEST(a_lower_level_has_one_step_of_eight) {
  CHECK_EQ(order_of<Counted>(2, {{0, "a", 2}, {2, "c", 20}}), "cccccccacccccccacccccc");
  CHECK_EQ(order_of<Counted>(2, {{0, "a", 1}, {0, "b", 1}, {1, "m", 2}, {2, "c", 20}}),
           "cccccccmaccccccmbccccccc");
}

TEST(a_lower_level_need_not_wait_for_a_place) {
  CHECK_EQ(order_of<Counted>(1, {{1, "b", 9}, {1, "c", 9}, {0, "a", 2}}), "bbbbbbbabbcccccacccc");
}

TEST(a_step_that_is_open_to_a_lower_level_is_shared) {
  CHECK_EQ(order_of<Sociable>(2, {{0, "a", 2}, {2, "c", 9}}), "c.c.c.c.c.c.c.ac.c.a.");
}

TEST(who_is_preempted_goes_on) {
  Log log;
  Worker worker(2);
  std::vector<std::future<std::thread::id>> ended;
  const auto begin = [&](std::size_t level, const char* name, int slices) {
    auto task = std::make_shared<At<Counted>>(level, name, slices, log);
    ended.push_back(task->ended.get_future());
    worker.submit(std::move(task));
  };
  std::promise<void> reached;
  std::promise<void> go;
  {
    Held held(worker);
    begin(0, "a", 4);
    worker.run_later(  // after the first slice
        Worker::Later([&] {
          reached.set_value();
          go.get_future().wait();
        }));
  }
  reached.get_future().wait();
  begin(2, "c", 3);
  go.set_value();
  for (auto& one : ended) one.wait();
  CHECK_EQ(log.text(), "acccaaa");
}

/// Reserves as many bytes as its name's first letter says: a is 1.
class Large : public Counted {
 public:
  Large(std::string name, int slices, Log& log)
      : Counted(name, slices, log), bytes_(static_cast<std::size_t>(name[0] - 'a') + 1) {}
  std::size_t reserves() const override { return bytes_; }

 private:
  const std::size_t bytes_;
};

TEST(what_has_no_room_waits_in_order) {
  // c and a fit together, b must wait for c, and the second a for b
  CHECK_EQ(order_of<Large>(4, {{0, "c", 2}, {0, "a", 3}, {0, "b", 2}, {0, "a", 1}}, 4), "cacabaab");
}

/// Of which a step takes 2 bytes besides.
class Passing : public Large {
 public:
  using Large::Large;
  std::size_t step_bytes() const override { return 2; }
};

TEST(a_step_has_room_besides) {
  CHECK_EQ(order_of<Passing>(4, {{0, "b", 2}, {0, "c", 2}}, 6), "bbcc");
  CHECK_EQ(order_of<Large>(4, {{0, "b", 2}, {0, "c", 2}}, 6), "bcbc");
}

TEST(one_that_never_has_room_runs_alone) {
  CHECK_EQ(order_of<Large>(4, {{0, "a", 2}, {0, "z", 2}, {0, "b", 2}}, 4), "aazzbb");
}

TEST(a_higher_level_gets_room_first_and_a_lower_one_after_eight) {
  CHECK_EQ(order_of<Large>(4, {{0, "b", 1}, {2, "d", 1}, {2, "c", 1}, {0, "a", 1}}, 4), "dcba");
  std::vector<Wanted> many{{0, "a", 1}};
  for (int i = 0; i < 10; ++i) many.push_back({2, "d", 1});
  CHECK_EQ(order_of<Large>(4, many, 4), "dddddddaddd");
}

TEST(stats_tell_who_waits_and_what_is_reserved) {
  Log log;
  Worker worker(2, [] { return std::size_t{4}; });
  std::vector<std::future<std::thread::id>> ended;
  const auto told = [&] {
    const Worker::Stats stats = worker.stats();
    return std::to_string(stats.waiting) + std::to_string(stats.running) +
           std::to_string(stats.reserved);
  };
  {
    Held held(worker);
    for (const char* name : {"c", "a", "b"}) {
      auto task = std::make_shared<Large>(name, 1'000'000, log);
      ended.push_back(task->ended.get_future());
      worker.submit(std::move(task));
    }
    CHECK_EQ(told(), std::string("300"));
  }
  while (told() != "124") std::this_thread::yield();
  worker.stop();
}

TEST(one_that_is_over_need_not_wait_for_its_turn) {
  Log log;
  Worker worker(2);
  std::vector<std::future<std::thread::id>> ended;
  const auto tired = std::make_shared<Counted>("t", 5, log);
  const auto active = std::make_shared<Counted>("u", 5, log);
  {
    Held held(worker);
    ended.push_back(submit(worker, "a", 3, log));
    worker.submit(active);
    for (const char* name : {"b", "c"}) ended.push_back(submit(worker, name, 1, log));
    worker.submit(tired);
    tired->cancel();
    active->cancel();
  }
  for (auto& one : ended) one.wait();
  // u has left its place to b before a slice was done
  CHECK_EQ(log.text(), "-u-tabaca");
}

TEST(jobs_and_tasks_alternate) {
  Log log;
  Worker worker(2);
  std::future<std::thread::id> ended;
  {
    Held held(worker);
    ended = submit(worker, "a", 4, log);
    for (int i = 0; i < 3; ++i) {
      worker.run_later(Worker::Later([&log] { log.add("j"); }));
    }
  }
  ended.wait();
  CHECK_EQ(log.text(), "ajajaja");
}

TEST(what_is_left_at_the_stop_ends_on_the_thread) {
  Log log;
  Worker worker(1);
  const std::thread::id here = worker.run([] { return std::this_thread::get_id(); });
  std::future<std::thread::id> active;
  std::future<std::thread::id> waiting;
  std::thread stopping;
  std::thread asking;
  {
    Held held(worker);
    active = submit(worker, "a", 1'000'000'000, log);
    waiting = submit(worker, "b", 2, log);
    asking = std::thread([&] {
      CHECK_THROWS(worker.run([] { std::this_thread::sleep_for(std::chrono::hours(1)); }),
                   InvalidRequest, kStopped);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until it asks
    stopping = std::thread([&] { worker.stop(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until it stops
  }
  stopping.join();
  asking.join();
  CHECK(active.get() == here);
  CHECK(waiting.get() == here);
  CHECK(log.text().ends_with("Xa") || log.text().ends_with("Xb"));
  CHECK(log.text().find("Xb") != std::string::npos);
}

TEST(a_slice_at_hand_is_cancelled_by_the_stop) {
  /// A slice that ends when it is told to alone.
  class Endless : public Task {
   public:
    explicit Endless(std::promise<void>& started) : started_(started) {}
    void step(const Tasks& /*tasks*/) override {
      started_.set_value();
      while (!over_) std::this_thread::yield();
    }
    bool finished() const override { return over_; }
    bool over() const override { return over_; }
    void cancel() override { over_ = true; }

   private:
    std::promise<void>& started_;
    std::atomic<bool> over_ = false;
  };
  Worker worker(1);
  std::promise<void> started;
  worker.submit(std::make_shared<Endless>(started));
  started.get_future().wait();
  worker.stop();
}

TEST(nothing_is_taken_after_the_stop) {
  Log log;
  Worker worker(1);
  std::vector<std::thread> stoppers;
  for (int i = 0; i < 4; ++i) stoppers.emplace_back([&] { worker.stop(); });
  for (std::thread& one : stoppers) one.join();
  worker.stop();
  CHECK_THROWS(worker.submit(std::make_shared<Counted>("a", 1, log)), InvalidRequest, kStopped);
  CHECK_THROWS(worker.run([] { return 1; }), InvalidRequest, kStopped);
  std::thread::id where;
  worker.run_later(Worker::Later([&] { where = std::this_thread::get_id(); }));
  CHECK(where == std::this_thread::get_id());
}

TEST(what_a_later_job_holds_is_let_go_on_the_thread) {
  struct Owned {
    explicit Owned(std::promise<std::thread::id>& p) : where(p) {}
    ~Owned() { where.set_value(std::this_thread::get_id()); }
    std::promise<std::thread::id>& where;
  };
  Worker worker(1);
  const std::thread::id here = worker.run([] { return std::this_thread::get_id(); });
  for (int i = 0; i < 500; ++i) {
    std::promise<std::thread::id> where;
    worker.run_later(
        Worker::Later([owned = std::make_shared<Owned>(where)]() mutable { owned.reset(); }));
    CHECK(where.get_future().get() == here);
  }
}

TEST(a_forked_child_is_told) {
  Log log;
  Worker worker(1);
  for (int i = 0; i < 20; ++i) {
    // Somebody may be holding the lock at the fork, but must not be starting or allocating: a
    // sanitizer has locks of its own for those, which the child would never get.
    std::atomic<bool> started = false;
    std::atomic<bool> done = false;
    std::thread busy([&] {
      worker.wake();
      started = true;
      while (!done) worker.wake();
    });
    while (!started) std::this_thread::yield();
    const pid_t child = fork();
    if (child == 0) {
      ::alarm(20);
      int good = 0;
      for (const std::function<void()>& use :
           {std::function<void()>([&] { worker.submit(std::make_shared<Counted>("a", 0, log)); }),
            std::function<void()>([&] { worker.run([] {}); })}) {
        try {
          use();
        } catch (const Error& error) {
          good += error.what() == std::string(kForked);
        }
      }
      worker.run_later(Worker::Later([&] { ++good; }));
      worker.stop();
      worker.stop();
      ::_exit(good);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), 3);
    done = true;
    busy.join();
  }
  CHECK_EQ(worker.run([] { return 8; }), 8);
}

/// Answers a request with so many tokens, one a slice, as a Generation would.
class Answer : public Task {
 public:
  explicit Answer(std::shared_ptr<Request> request) : request_(std::move(request)) {}
  ~Answer() override {
    if (!finished_) request_->fail(Error(ErrorKind::Cancelled, "[test] dropped."), {});
  }
  void step(const Tasks& /*tasks*/) override {
    finished_ = request_->over() || count_ == request_->options().max_tokens;
    if (finished_) {
      request_->finish(request_->over() ? Finish::Cancelled : Finish::Length, {});
    } else {
      Sample sample;
      sample.token = request_->prompt().front() + count_++;
      request_->emit(sample, {});
    }
  }
  bool finished() const override { return finished_; }
  bool over() const override { return request_->over(); }
  void cancel() override { request_->cancel(); }

 private:
  std::shared_ptr<Request> request_;
  int count_ = 0;
  bool finished_ = false;
};

void ask(Worker& worker, int number) {
  RequestOptions options;
  options.max_tokens = 1 + number % 17;
  if (number % 5 == 0) options.timeout = 1e-3;
  const auto request = std::make_shared<Request>(std::vector<int>{1000 * number}, options);
  worker.submit(std::make_shared<Answer>(request));
  int seen = 0;
  News news;
  while (!news.finish) {
    news = request->next(std::nullopt);
    for (const Sample& sample : news.samples) CHECK_EQ(sample.token, 1000 * number + seen++);
    if (number % 3 == 0 && seen > number % 7) request->cancel();
  }
  if (number % 3 != 0 && number % 5 != 0) {
    CHECK(news.finish == Finish::Length);
    CHECK_EQ(seen, options.max_tokens);
  }
}

TEST(eight_threads_ask_much_at_once) {
  Worker worker(8);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&worker, t] {
      for (int i = 0; i < 200; ++i) ask(worker, 200 * t + i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(stopping_amid_all_that_fails_whoever_waits) {
  for (int round = 0; round < 20; ++round) {
    Worker worker(3);
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&worker, t] {
        RequestOptions options;
        options.max_tokens = 1 << 30;
        const auto request = std::make_shared<Request>(std::vector<int>{t}, options);
        try {
          worker.submit(std::make_shared<Answer>(request));
        } catch (const Error& error) {
          CHECK_EQ(std::string(error.what()), kStopped);
        }
        while (!request->next(std::nullopt).finish) continue;
      });
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200 * round));
    worker.stop();
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
