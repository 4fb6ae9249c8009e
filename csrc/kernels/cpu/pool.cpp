#include "kernels/cpu/pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include "kernels/cpu/cores.h"

namespace convergio::kernels {

namespace {

constexpr auto kSpin = std::chrono::microseconds(60);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Spins until `done()` or the time is up; true where it was done.
template <class Done>
bool spin(Done done) {
  constexpr int kLooksABeat = 64;
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kLooksABeat; ++i) {
      if (done()) {
        return true;
      }
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 1; i < threads; ++i) {
      try {
        // a pool lives as long as the process, and so do its threads
        std::thread([this] { help(); }).detach();
      } catch (const std::exception&) {
        return;  // a limit on threads, or no memory for one: the work is shared by fewer
      }
    }
  }

  /// False where another call holds the pool.
  bool run(std::int64_t tasks, void (*task)(void*, std::int64_t), void* context) {
    const std::unique_lock<std::mutex> lock(busy_, std::try_to_lock);
    if (!lock) {
      return false;
    }
    task_ = task;
    context_ = context;
    tasks_ = tasks;
    next_.store(0, std::memory_order_relaxed);
    open_.store(true);
    round_.fetch_add(1);
    round_.notify_all();
    take();
    // Nobody waits for a helper that is still asleep: only for those who came in before this.
    open_.store(false);
    const auto finished = [this] { return inside_.load() == 0; };
    while (!spin(finished)) {
      const int left = inside_.load();
      if (left > 0) {
        inside_.wait(left);
      }
    }
    if (failed_.exchange(false)) {
      std::rethrow_exception(std::exchange(failure_, nullptr));
    }
    return true;
  }

 private:
  /// Runs tasks until none is left. The first exception of all threads goes to the caller of run(),
  /// whose stack the tasks use: it may not unwind before every thread is out.
  void take() noexcept {
    try {
      for (std::int64_t i = next_.fetch_add(1, std::memory_order_relaxed); i < tasks_;
           i = next_.fetch_add(1, std::memory_order_relaxed)) {
        task_(context_, i);
      }
    } catch (...) {
      next_.store(tasks_, std::memory_order_relaxed);
      if (!failed_.exchange(true)) {
        failure_ = std::current_exception();
      }
    }
  }

  void help() {
    std::uint32_t seen = 0;
    while (true) {
      if (!spin([&] { return round_.load(std::memory_order_relaxed) != seen; })) {
        round_.wait(seen);
      }
      seen = round_.load();
      inside_.fetch_add(1);
      if (open_.load()) {
        take();
      }
      if (inside_.fetch_sub(1) == 1) {
        inside_.notify_one();
      }
    }
  }

  std::mutex busy_;
  void (*task_)(void*, std::int64_t) = nullptr;
  void* context_ = nullptr;
  std::int64_t tasks_ = 0;
  alignas(64) std::atomic<std::int64_t> next_{0};
  alignas(64) std::atomic<std::uint32_t> round_{0};
  std::atomic<bool> open_{false};
  std::atomic<bool> failed_{false};
  std::exception_ptr failure_;  ///< set by the thread that set failed_, read once all are out
  alignas(64) std::atomic<int> inside_{0};
};

std::atomic<Pool*> the_pool{nullptr};

/// A fork takes no threads along: the child forgets the pool, and the memory of it stays behind.
void forget_pool() { the_pool.store(nullptr, std::memory_order_relaxed); }

Pool& pool() {
  Pool* here = the_pool.load(std::memory_order_acquire);
  if (here == nullptr) {
    static std::mutex starting;
    const std::lock_guard<std::mutex> lock(starting);
    here = the_pool.load(std::memory_order_acquire);
    if (here == nullptr) {
      static const int registered = pthread_atfork(nullptr, nullptr, forget_pool);
      static_cast<void>(registered);
      here = new Pool(thread_count());
      the_pool.store(here, std::memory_order_release);
    }
  }
  return *here;
}

constexpr std::align_val_t kLine{64};

struct Free {
  void operator()(std::byte* p) const { ::operator delete(p, kLine); }
};

}  // namespace

void run_tasks(std::int64_t tasks, void (*task)(void*, std::int64_t), void* context) {
  if (tasks > 1 && thread_count() > 1 && pool().run(tasks, task, context)) {
    return;
  }
  for (std::int64_t i = 0; i < tasks; ++i) {
    task(context, i);
  }
}

std::int64_t range_size(std::int64_t count, std::int64_t step, std::int64_t grain) {
  constexpr std::int64_t kPiecesAThread = 8;  // so that a thread held up elsewhere costs little
  const std::int64_t pieces = thread_count() == 1 ? 1 : thread_count() * kPiecesAThread;
  const std::int64_t size = std::max(grain, (count + pieces - 1) / pieces);
  return std::max(step, (size + step - 1) / step * step);
}

void* scratch(std::int64_t bytes) {
  thread_local std::unique_ptr<std::byte, Free> block;
  thread_local std::int64_t size = 0;
  if (bytes > size) {
    block.reset();
    size = 0;  // what follows may throw
    block.reset(static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), kLine)));
    size = bytes;
  }
  return block.get();
}

void FreeAligned::operator()(float* p) const { ::operator delete(p, kLine); }

AlignedFloats aligned_floats(std::int64_t count) {
  const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
  return AlignedFloats(static_cast<float*>(::operator new(bytes, kLine)));
}

}  // namespace convergio::kernels
