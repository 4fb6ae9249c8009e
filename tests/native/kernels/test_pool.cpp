#include "kernels/cpu/pool.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.h"

using convergio::kernels::parallel;
using convergio::kernels::scratch;

namespace {

/// Before anything asks for the number of threads.
[[maybe_unused]] const int four_threads = setenv("CONVERGIO_MLX_THREADS", "4", 1);

std::atomic<bool> no_memory = false;

std::int64_t sum_of(std::int64_t tasks) {
  std::atomic<std::int64_t> sum = 0;
  parallel(tasks, [&](std::int64_t i) { sum += i; });
  return sum;
}

/// What the call throws.
template <class F>
std::string thrown(std::int64_t tasks, F&& task) {
  try {
    parallel(tasks, task);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing";
}

TEST(each_task_runs_once) { CHECK_EQ(sum_of(1000), 499500); }

TEST(what_a_helper_throws_reaches_the_caller) {
  const auto caller = std::this_thread::get_id();
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> thrown_by_helper = false;
    const std::string what = thrown(64, [&](std::int64_t) {
      if (std::this_thread::get_id() != caller) {
        thrown_by_helper = true;
        thrown_by_helper.notify_all();
        throw std::runtime_error("a helper's");
      }
      thrown_by_helper.wait(false);
    });
    CHECK_EQ(what, "a helper's");
    CHECK_EQ(sum_of(1000), 499500);
  }
}

TEST(a_caller_that_throws_waits_for_its_helpers) {
  const auto caller = std::this_thread::get_id();
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> inside = 0;
    std::atomic<bool> throws = false;
    const std::string what = thrown(64, [&](std::int64_t) {
      ++inside;
      inside.notify_all();
      if (std::this_thread::get_id() == caller) {
        for (int seen = inside; seen < 2; seen = inside) {
          inside.wait(seen);
        }
        throws = true;
        throws.notify_all();
        --inside;
        throw std::runtime_error("the caller's");
      }
      throws.wait(false);
      std::this_thread::yield();  // it would be on its way out by now
      --inside;
    });
    CHECK_EQ(what, "the caller's");
    CHECK_EQ(inside.load(), 0);
    CHECK_EQ(sum_of(1000), 499500);
  }
}

TEST(a_task_alone_throws_to_its_caller) {
  CHECK_EQ(thrown(1, [](std::int64_t) { throw std::runtime_error("its own"); }), "its own");
}

TEST(scratch_that_could_not_be_had_is_asked_for_again) {
  std::memset(scratch(1000), 1, 1000);
  no_memory = true;
  bool threw = false;
  try {
    scratch(2000);
  } catch (const std::bad_alloc&) {
    threw = true;
  }
  no_memory = false;
  CHECK(threw);
  std::memset(scratch(1000), 1, 1000);
}

TEST(a_task_without_memory_fails_the_call_alone) {
  no_memory = true;
  const std::string what = thrown(8, [](std::int64_t) { scratch(std::int64_t{1} << 20); });
  no_memory = false;
  CHECK_EQ(what, std::bad_alloc().what());
  parallel(8, [](std::int64_t) { std::memset(scratch(1 << 20), 1, 1 << 20); });
}

}  // namespace

// Of this executable, so that a sanitizer's does not end the process.
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto line = static_cast<std::size_t>(alignment);
  void* block = no_memory ? nullptr : std::aligned_alloc(line, (bytes + line - 1) / line * line);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
