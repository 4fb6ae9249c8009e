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

Worker::Worker(std::size_t most_active, std::function<std::size_t()> room)
    : most_active_(most_active),
      room_(std::move(room)),
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
  Tasks& queue = waiting_[one.front()->level()];
  {
    const auto lock = enter();
    queue.splice(queue.end(), one);
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

Worker::Stats Worker::stats() {
  if (forked()) {
    return {};
  }
  const std::scoped_lock lock(mutex_);
  Stats found{.running = active_.size() + running_.size()};
  found.reserved = found.running == 0 ? 0 : reserved_;
  for (const Tasks& queue : waiting_) {
    found.waiting += queue.size();
  }
  return found;
}

/// The level whose first is to be the next one active, where a place is free for it: one that was
/// overtaken often enough, else the highest.
std::optional<std::size_t> Worker::next_waiting(const Levels<std::size_t>& busy) const {
  std::optional<std::size_t> next;
  for (std::size_t level = 0; level < kLevels; ++level) {
    if (busy[level] < most_active_ && !waiting_[level].empty()) {
      next = level;
      if (overtaken_[level] >= kPassedOver) {
        break;
      }
    }
  }
  return next;
}

/// Whether all parts together are no more than `room`, which may be the largest number.
bool Worker::holds(std::size_t room, std::initializer_list<std::size_t> parts) {
  return std::ranges::all_of(parts, [&room](std::size_t part) {
    const bool fits = part <= room;
    room -= fits ? part : 0;
    return fits;
  });
}

/// Those that wait get places and room, until there is none for the next one. With nothing reserved
/// there is room for any: what it really needs is found when it runs.
void Worker::admit() {
  Levels<std::size_t> busy{};
  reserved_ = 0;
  std::size_t step = 0;
  for (const auto& task : active_) {
    busy[task->level()] += task->ready() ? 1 : 0;
    reserved_ += task->reserves();
    step = std::max(step, task->step_bytes());
  }
  while (const auto level = next_waiting(busy)) {
    Tasks& queue = waiting_[*level];
    const std::size_t more = queue.front()->reserves();
    step = std::max(step, queue.front()->step_bytes());
    if (reserved_ > 0 && !holds(room_(), {reserved_, more, step})) {
      break;
    }
    active_.splice(active_.end(), queue, queue.begin());
    reserved_ += more;
    ++busy[*level];
    overtaken_[*level] = 0;
    for (std::size_t lower = 0; lower < *level; ++lower) {
      overtaken_[lower] = waiting_[lower].empty() ? 0 : overtaken_[lower] + 1;
    }
  }
}

bool Worker::can_run(const Task& task) { return task.ready() && !task.held_up(); }

/// Of each level whether its tasks may have a part in the next step: the highest that is ready, and
/// lower ones that were passed over often enough.
Worker::Levels<bool> Worker::open_levels() const {
  Levels<bool> open{};
  for (const auto& task : active_) {
    open[task->level()] = open[task->level()] || can_run(*task);
  }
  bool is_highest = true;
  for (std::size_t level = kLevels; level-- > 0;) {
    const bool is_ready = open[level];
    open[level] = is_ready && (is_highest || passed_over_[level] >= kPassedOver);
    is_highest = is_highest && !is_ready;
  }
  return open;
}

/// Counts for each level the steps that others took while it was ready; `next` is taken from
/// active_ already.
void Worker::note_passed_over(const Tasks& next) {
  Levels<bool> passed{};
  for (const auto& task : active_) {
    passed[task->level()] = passed[task->level()] || can_run(*task);
  }
  for (const auto& task : next) {
    passed[task->level()] = false;
    passed_over_[task->level()] = 0;
  }
  for (std::size_t level = 0; level < kLevels; ++level) {
    passed_over_[level] += passed[level] ? 1 : 0;
  }
}

/// One that is over, else the first of an open level that is ready and those that join it, none
/// where there is neither. Who is left out comes the earlier next time: those that ran go behind
/// it.
Tasks Worker::next_tasks() {
  admit();
  Tasks next;
  const auto take_over = [&next](Tasks& queue) {
    const auto over = std::ranges::find_if(queue, [](const auto& task) { return task->over(); });
    if (over != queue.end()) {
      next.splice(next.begin(), queue, over);
    }
    return !next.empty();
  };
  if (take_over(active_) || std::ranges::any_of(waiting_, take_over)) {
    return next;
  }
  const auto open = open_levels();
  for (auto at = active_.begin(); at != active_.end();) {
    const auto task = at++;
    if (open[(*task)->level()] && can_run(**task) && (next.empty() || (*task)->joins(next))) {
      next.splice(next.end(), active_, task);
    }
  }
  note_passed_over(next);
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
      return stopping_ || !jobs_.empty() || !active_.empty() ||
             !std::ranges::all_of(waiting_, &Tasks::empty);
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
  const Levels<Tasks> waiting = std::move(waiting_);
  const Tasks active = std::move(active_);
  lock.unlock();
}

}  // namespace convergio::engine
