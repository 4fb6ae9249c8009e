// The GPU that the tests run texts on.
#include <stdexcept>
#include <string>
#include <vector>

#include "check.h"
#include "gpu/twin.h"

using namespace twin;

namespace {

/// What is said of a text whose threads do such a thing.
std::string fault_of(const std::function<Fiber(Group&, unsigned)>& body) {
  try {
    Group group(1);
    group.run([&](unsigned thread) { return body(group, thread); });
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

TEST(lanes_exchange_numbers_and_threads_meet_at_barriers) {
  std::vector<float> seen(kThreads);
  std::vector<float> shared(kThreads);
  Group group(1);
  const auto body = [&](unsigned thread) -> Fiber {
    const auto x = static_cast<float>(thread);
    shared[thread] = co_await sum(group, thread, x, 1);
    shared[thread] += co_await highest(group, thread, x, 2);
    shared[thread] += co_await sum_before(group, thread, 1.0F, 3);
    co_await barrier(group, thread, 4);
    seen[thread] = shared[kThreads - 1 - thread];
  };
  group.run(body);
  for (unsigned thread = 0; thread < kThreads; ++thread) {
    const unsigned other = kThreads - 1 - thread;
    const unsigned first = other / kLanes * kLanes;
    const unsigned sum = kLanes * first + kLanes * (kLanes - 1) / 2;
    CHECK_EQ(seen[thread], static_cast<float>(sum + first + kLanes - 1 + other % kLanes));
  }
}

TEST(threads_that_miss_a_barrier_are_found) {
  CHECK_EQ(fault_of([](Group& group, unsigned thread) -> Fiber {
             if (thread != 3) co_await barrier(group, thread, 5);
           }),
           "line 5: 511 of 512 threads wait, thread 0 at line 5");
  CHECK_EQ(fault_of([](Group& group, unsigned thread) -> Fiber {
             co_await barrier(group, thread, thread == 9 ? 7 : 6);
           }),
           "line 6: 512 of 512 threads wait, thread 9 at line 7");
  CHECK_EQ(fault_of([](Group& group, unsigned thread) -> Fiber {
             if (thread < 33) co_await sum(group, thread, 1.0F, 8);
           }),
           "line 8: 1 of 32 threads wait, thread 32 at line 8");
}

TEST(numbers_shared_without_a_barrier_depend_on_the_order_of_threads) {
  const auto last_of = [](std::uint64_t seed) {
    unsigned last = 0;
    Group group(seed);
    group.run([&](unsigned thread) -> Fiber {
      last = thread;
      co_return;
    });
    return last;
  };
  CHECK(last_of(1) != last_of(2));
}

}  // namespace
