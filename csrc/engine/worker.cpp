#include "engine/worker.h"

#include <unistd.h>

namespace convergio::engine {

Worker::Worker(std::function<void()> prepare, std::size_t most_active)
    : prepare_(std::move(prepare)),
      most_active_(most_active),
      process_(getpid()),
      thread_([this] { loop(); }) {}

Worker::~Worker() { stop(); }

void Worker::check() const {
  if (getpid() != process_) {
    throw Error(ErrorKind::InvalidRequest,
                "[engine] this process was forked off after the engine had started, which does not "
                "survive a fork; load the model in the child, or start it with multiprocessing's "
                "'spawn' method.");
  }
  if (stopping_) {
    throw stopped();
  }
}

Error Worker::stopped() {
  return Error(ErrorKind::InvalidRequest,
               "[engine] the engine was shut down with the program; start it again.");
}

void Worker::submit(std::shared_ptr<Task> task) {
  {
    const std::scoped_lock lock(mutex_);
    check();
    waiting_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void Worker::post(std::unique_ptr<Job> job) {
  {
    const std::scoped_lock lock(mutex_);
    check();
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void Worker::run_later(std::function<void()> job) noexcept {
  try {
    post(std::make_unique<Packaged<std::function<void()>>>(job));
  } catch (const Error&) {
    job();
  }
}

void Worker::stop() {
  if (getpid() != process_) {
    thread_.detach();  // it exists in the parent alone
    return;
  }
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Worker::loop() {
  prepare_();
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] {
      return stopping_ || !jobs_.empty() || !waiting_.empty() || !active_.empty();
    });
    if (stopping_) {
      break;
    }
    if (!jobs_.empty()) {
      std::unique_ptr<Job> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      (*job)();
      job.reset();
      lock.lock();
      continue;
    }
    while (active_.size() < most_active_ && !waiting_.empty()) {
      active_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    std::shared_ptr<Task> task = std::move(active_.front());
    active_.pop_front();
    lock.unlock();
    const bool more = task->step();
    if (!more) {
      task.reset();
    }
    lock.lock();
    if (more) {
      active_.push_back(std::move(task));
    }
  }
  // what is left ends here, on the thread that owns it
  std::deque<std::unique_ptr<Job>> jobs = std::move(jobs_);
  std::deque<std::shared_ptr<Task>> waiting = std::move(waiting_);
  lock.unlock();
  waiting.clear();
  active_.clear();
  jobs.clear();
}

}  // namespace convergio::engine
