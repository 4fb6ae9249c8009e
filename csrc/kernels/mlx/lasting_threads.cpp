#include "kernels/mlx/lasting_threads.h"

#include <pthread.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

namespace convergio::kernels {

namespace {

using Job = std::packaged_task<void()>;

class LastingThread {
 public:
  LastingThread() {
    std::thread([this] { loop(); }).detach();
  }
  LastingThread(const LastingThread&) = delete;
  LastingThread& operator=(const LastingThread&) = delete;

  void take(Job job) {
    {
      const std::scoped_lock lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
  }

 private:
  void loop() {
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !jobs_.empty(); });
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
};

struct Threads {
  std::mutex mutex;
  std::deque<LastingThread> all;  // whose elements stay where they are
};

/// Never destroyed: its threads wait in it until the process is gone. A fork takes no threads
/// along, so the child begins anew.
Threads* threads = nullptr;
std::mutex starting;

Threads& lasting() {
  const std::scoped_lock lock(starting);
  if (threads == nullptr) {
    static const int registered = pthread_atfork([] { starting.lock(); }, [] { starting.unlock(); },
                                                 [] {
                                                   threads = nullptr;
                                                   starting.unlock();
                                                 });
    static_cast<void>(registered);
    threads = new Threads;
  }
  return *threads;
}

LastingThread& thread(std::size_t index) {
  Threads& here = lasting();
  const std::scoped_lock lock(here.mutex);
  while (here.all.size() <= index) {
    here.all.emplace_back();
  }
  return here.all[index];
}

}  // namespace

void run_on_lasting_threads(std::vector<std::function<void()>> jobs) {
  std::vector<std::future<void>> done;
  std::exception_ptr failure;
  done.reserve(jobs.size());
  try {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      Job job(std::move(jobs[i]));
      std::future<void> end = job.get_future();
      thread(i).take(std::move(job));
      done.push_back(std::move(end));
    }
  } catch (...) {
    failure = std::current_exception();
  }
  for (std::future<void>& one : done) {  // all of them: they use what the caller holds
    try {
      one.get();
    } catch (...) {
      failure = failure ? failure : std::current_exception();
    }
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

}  // namespace convergio::kernels
