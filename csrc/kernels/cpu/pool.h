#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace convergio::kernels {

/// Runs task(context, 0 … tasks - 1), each once, on the process's pool of thread_count() threads,
/// the caller's among them; returns when all are done. Tasks are taken in order, one at a time.
/// Where the pool is busy (a call from another thread, or from within a task) the caller runs them
/// all itself. Where a task throws, those not yet begun are left out, and once no thread is in one
/// the first exception is thrown here. The threads start with the first call that has something to
/// share, spin for a moment when work runs out and then sleep. A forked child starts its own.
void run_tasks(std::int64_t tasks, void (*task)(void*, std::int64_t), void* context);

/// run_tasks over a callable of one index.
template <class F>
void parallel(std::int64_t tasks, F&& f) {
  run_tasks(
      tasks, [](void* c, std::int64_t i) { (*static_cast<std::remove_reference_t<F>*>(c))(i); },
      &f);
}

/// Splits [0, count) into pieces of at least `grain`, multiples of `step` (the last one smaller),
/// a few for each thread: the size of one.
std::int64_t range_size(std::int64_t count, std::int64_t step, std::int64_t grain);

/// Runs f(begin, end) on each such piece.
template <class F>
void parallel_ranges(std::int64_t count, std::int64_t step, std::int64_t grain, F&& f) {
  const std::int64_t size = range_size(count, step, grain);
  parallel((count + size - 1) / size, [&](std::int64_t i) {
    const std::int64_t end = (i + 1) * size;
    f(i * size, end < count ? end : count);
  });
}

/// At least `bytes` bytes of this thread's own working memory, aligned to 64; what an earlier call
/// gave is lost.
void* scratch(std::int64_t bytes);

/// Memory for floats that a call shares with its tasks, aligned to 64 and not filled.
struct FreeAligned {
  void operator()(float* p) const;
};
using AlignedFloats = std::unique_ptr<float[], FreeAligned>;
AlignedFloats aligned_floats(std::int64_t count);

}  // namespace convergio::kernels
