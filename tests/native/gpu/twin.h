// A GPU for the texts of csrc/kernels/gpu, which are compiled as C++ here: each of its threads is a
// coroutine that waits where lanes of a simdgroup exchange numbers, and at barriers. Threads run in
// an order of chance between those, so that a text that forgot a barrier gives other numbers.
#pragma once

#include <array>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <random>
#include <vector>

namespace twin {

constexpr unsigned kThreads = 512;
constexpr unsigned kLanes = 32;

/// A thread of the GPU: begins to run when it is first resumed.
struct Fiber {
  struct promise_type {
    std::exception_ptr thrown;
    Fiber get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { thrown = std::current_exception(); }
  };
  std::coroutine_handle<promise_type> handle;
};

/// A group of threads, and what each of them waits for.
class Group {
 public:
  explicit Group(std::uint64_t seed) : random_(seed) {}

  /// Runs body(thread) for each thread to its end. Throws where threads wait at different places.
  void run(const std::function<Fiber(unsigned)>& body);

  /// What a thread awaits: the other lanes (`wide` false), or all threads, at the same line.
  template <typename Result>
  struct Meeting {
    Group& group;
    unsigned thread;
    double number;
    bool wide;
    int line;
    Result (*result)(const Group&, unsigned thread);

    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<>) const { group.arrive(thread, number, wide, line); }
    Result await_resume() const { return result(group, thread); }
  };

  /// What lane i of this thread's simdgroup gave when they last met.
  double of_lane(unsigned thread, unsigned i) const {
    const Place& own = places_[thread];
    return places_[thread / kLanes * kLanes + i].given[own.met % 2];
  }

 private:
  struct Place {
    bool waits = false;
    bool wide = false;
    int line = 0;
    unsigned met = 0;                  ///< how many times
    std::array<double, 2> given = {};  ///< in turn: others may not have read the last
  };

  void arrive(unsigned thread, double number, bool wide, int line);
  bool release(unsigned first, unsigned count, bool wide, const std::vector<Fiber>& fibers);

  std::mt19937_64 random_;
  std::array<Place, kThreads> places_ = {};
};

/// What a text sees of the GPU, by the names of names_metal.inl.h.
template <typename T>
Group::Meeting<T> sum(Group& group, unsigned thread, T x, int line) {
  return {group, thread, static_cast<double>(x), false, line, [](const Group& in, unsigned at) {
            T all = 0;
            for (unsigned i = 0; i < kLanes; ++i) all += static_cast<T>(in.of_lane(at, i));
            return all;
          }};
}

template <typename T>
Group::Meeting<T> highest(Group& group, unsigned thread, T x, int line) {
  return {group, thread, static_cast<double>(x), false, line, [](const Group& in, unsigned at) {
            T best = static_cast<T>(in.of_lane(at, 0));
            for (unsigned i = 1; i < kLanes; ++i) {
              const T other = static_cast<T>(in.of_lane(at, i));
              best = other > best || best != best ? other : best;  // as fmax, which passes over NaN
            }
            return best;
          }};
}

template <typename T>
Group::Meeting<T> sum_before(Group& group, unsigned thread, T x, int line) {
  return {group, thread, static_cast<double>(x), false, line, [](const Group& in, unsigned at) {
            T before = 0;
            for (unsigned i = 0; i < at % kLanes; ++i) before += static_cast<T>(in.of_lane(at, i));
            return before;
          }};
}

inline Group::Meeting<int> barrier(Group& group, unsigned thread, int line) {
  return {group, thread, 0, true, line, [](const Group&, unsigned) { return 0; }};
}

/// The kernels, over raw memory; `seed` orders the threads. T: float, or one of MLX's 16-bit
/// floats.
template <typename T>
void group_bests(const T* logits, const float* settings, const std::uint32_t* sizes, float* values,
                 float* bests, float* sums, std::uint64_t seed);
void draw_from_all(const float* values, const float* bests, const float* sums,
                   const float* settings, const float* uniforms, const std::uint32_t* sizes,
                   std::uint32_t* token, float* check, std::uint64_t seed);
void draw_from_likeliest(const float* values, const float* bests, const float* sums,
                         const float* settings, const float* uniforms, const std::uint32_t* sizes,
                         std::uint32_t* token, float* check, std::uint64_t seed);

}  // namespace twin
