#include "engine/worker.h"

#include <unistd.h>

#include <algorithm>

namespace convergio::engine {

Worker::Worker(std::size_t most_active)
    : most_active_(most_active),
      process_(getpid()),
      thread_(std::make_unique<std::thread>([this] { loop(); })) {}

Worker::~Worker() { stop(); }

Error Worker::stopped() {
  return Error(ErrorKind::InvalidRequest,
               "[engine] the engine was shut down with the program; start it again.");
}

bool Worker::forked() const { return getpid() != process_; }

/// The lock, where there is a thread to take what is queued under it. A forked child must not try
/// the mutex: a thread that it lacks may have held it.
std::unique_lock<std::mutex> Worker::enter() {
  if (forked()) {
    throw Error(ErrorKind::InvalidRequest,
                "[engine] this process was forked off after the engine had started, and the "
                "engine's thread stayed behind; start it with multiprocessing's 'spawn' method, or "
                "fork before the first model is loaded.");
  }
  std::unique_lock lock(mutex_);
  if (stopping_) {
    throw stopped();
  }
  return lock;
}

void Worker::submit(std::shared_ptr<Task> task) {
  {
    const auto lock = enter();
    waiting_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void Worker::post(std::unique_ptr<Job>&& job) {
  {
    const auto lock = enter();
    jobs_.push_back(std::move(job));
  }
  changed_.notify_one();
}

void Worker::run_later(std::function<void()> job) noexcept {
  // moved, never copied: a copy here could outlive the thread's, and what it holds be freed here
  std::unique_ptr<Job> later = std::make_unique<Packaged<std::function<void()>>>(std::move(job));
  try {
    post(std::move(later));
  } catch (const Error&) {
    (*later)();
  }
}

void Worker::stop() {
  if (forked()) {
    // the thread exists in the parent alone: there is nothing to join, and to detach it crashes
    static_cast<void>(thread_.release());
    return;
  }
  const std::scoped_lock one_by_one(ending_);
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    if (running_) {
      running_->cancel();
    }
  }
  changed_.notify_one();
  if (thread_->joinable()) {
    thread_->join();
  }
}

std::unique_ptr<Worker::Job> Worker::next_job() {
  if (jobs_.empty()) {
    return nullptr;
  }
  std::unique_ptr<Job> job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

/// One that is over, else the one whose turn it is.
std::shared_ptr<Task> Worker::next_task() {
  while (active_.size() < most_active_ && !waiting_.empty()) {
    active_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  for (std::deque<std::shared_ptr<Task>>* queue : {&active_, &waiting_}) {
    const auto over = std::ranges::find_if(*queue, [](const auto& task) { return task->over(); });
    if (over != queue->end()) {
      std::shared_ptr<Task> task = std::move(*over);
      queue->erase(over);
      return task;
    }
  }
  if (active_.empty()) {
    return nullptr;
  }
  std::shared_ptr<Task> task = std::move(active_.front());
  active_.pop_front();
  return task;
}

void Worker::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] {
      return stopping_ || !jobs_.empty() || !waiting_.empty() || !active_.empty();
    });
    if (stopping_) {
      break;
    }
    if (std::unique_ptr<Job> job = next_job()) {
      lock.unlock();
      (*job)();
      job.reset();
      lock.lock();
    }
    running_ = stopping_ ? nullptr : next_task();
    if (running_) {
      lock.unlock();
      const bool more = running_->step();
      lock.lock();
      std::shared_ptr<Task> task = std::move(running_);
      if (more) {
        active_.push_back(std::move(task));
        continue;
      }
      lock.unlock();
      task.reset();
      lock.lock();
    }
  }
  // what is left ends here, on the thread that owns it
  const std::deque<std::unique_ptr<Job>> jobs = std::move(jobs_);
  const std::deque<std::shared_ptr<Task>> waiting = std::move(waiting_);
  const std::deque<std::shared_ptr<Task>> active = std::move(active_);
  lock.unlock();
}

}  // namespace convergio::engine
