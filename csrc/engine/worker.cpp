#include "engine/worker.h"

#include <unistd.h>

#include <algorithm>

#include <chrono>
#include "engine/reserve.h"

namespace convergio::engine {

namespace {

/// How often tasks that are not ready are polled: they may be over.
constexpr std::chrono::milliseconds kLook{10};

}  // namespace

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
  Tasks one;
  one.push_back(std::move(task));
  {
    const auto lock = enter();
    waiting_.splice(waiting_.end(), one);
  }
  changed_.notify_one();
}

void Worker::post(Jobs& one) {
  {
    const auto lock = enter();
    jobs_.splice(jobs_.end(), one);
  }
  changed_.notify_one();
}

void Worker::run_later(Later later) noexcept {
  try {
    post(later.one_);
  } catch (...) {
    (*later.one_.front())();
  }
}

void Worker::wake() {
  if (forked()) {
    return;
  }
  // the lock: this cannot come between the thread's check of a task and its wait
  {
    const std::scoped_lock lock(mutex_);
  }
  changed_.notify_one();
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
    for (const auto& task : running_) {
      task->cancel();
    }
  }
  changed_.notify_one();
  if (thread_->joinable()) {
    thread_->join();
  }
}

Worker::Jobs Worker::next_job() {
  Jobs one;
  if (!jobs_.empty()) {
    one.splice(one.begin(), jobs_, jobs_.begin());
  }
  return one;
}

void Worker::admit() {
  auto busy = static_cast<std::size_t>(
      std::ranges::count_if(active_, [](const auto& task) { return task->ready(); }));
  for (; busy < most_active_ && !waiting_.empty(); ++busy) {
    active_.splice(active_.end(), waiting_, waiting_.begin());
  }
}

/// One that is over, else the first that is ready and those that join it, none where there is
/// neither. Who is left out comes the earlier next time: those that ran go behind it.
Tasks Worker::next_tasks() {
  admit();
  Tasks next;
  for (Tasks* queue : {&active_, &waiting_}) {
    const auto over = std::ranges::find_if(*queue, [](const auto& task) { return task->over(); });
    if (over != queue->end()) {
      next.splice(next.begin(), *queue, over);
      return next;
    }
  }
  for (auto at = active_.begin(); at != active_.end();) {
    const auto task = at++;
    if ((*task)->ready() && (next.empty() || (*task)->joins(next))) {
      next.splice(next.end(), active_, task);
    }
  }
  return next;
}

/// Destroys, outside the lock, those of running_ that are finished; the others alternate on.
void Worker::drop_finished(std::unique_lock<std::mutex>& lock) {
  Tasks finished;
  for (auto at = running_.begin(); at != running_.end();) {
    const auto task = at++;
    Tasks& to = (*task)->finished() ? finished : active_;
    to.splice(to.end(), running_, task);
  }
  if (!finished.empty()) {
    lock.unlock();
    finished.clear();
    lock.lock();
  }
}

void Worker::loop() {
  Reserve reserve;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] {
      return stopping_ || !jobs_.empty() || !waiting_.empty() || !active_.empty();
    });
    if (stopping_) {
      break;
    }
    reserve.refill();
    if (Jobs job = next_job(); !job.empty()) {
      lock.unlock();
      (*job.front())();
      job.clear();
      lock.lock();
    }
    if (!stopping_) {
      running_ = next_tasks();
    }
    if (!running_.empty()) {
      lock.unlock();
      running_.front()->step(running_);
      lock.lock();
      drop_finished(lock);
    } else if (!stopping_ && jobs_.empty() && !active_.empty()) {
      changed_.wait_for(lock, kLook);
    }
  }
  // the remaining tasks are destroyed here, on the thread that owns them
  const Jobs jobs = std::move(jobs_);
  const Tasks waiting = std::move(waiting_);
  const Tasks active = std::move(active_);
  lock.unlock();
}

}  // namespace convergio::engine
