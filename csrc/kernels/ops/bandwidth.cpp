#include "kernels/ops/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "kernels/cpu/pool.h"
#include "mlx/array.h"
#include "mlx/device.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels {

namespace mx = mlx::core;

namespace {

/// Eight sums at once, so that the reads of a pass never wait for one another.
std::uint64_t fold(const std::uint64_t* words, std::int64_t count) {
  constexpr std::int64_t kLanes = 32;
  std::uint64_t lanes[kLanes] = {};
  for (std::int64_t i = 0; i + kLanes <= count; i += kLanes) {
    for (std::int64_t j = 0; j < kLanes; ++j) {
      lanes[j] ^= words[i + j];
    }
  }
  std::uint64_t all = 0;
  for (const std::uint64_t lane : lanes) {
    all ^= lane;
  }
  return all;
}

std::function<void()> cpu_pass(std::int64_t bytes) {
  constexpr std::int64_t kGrain = 1 << 13;
  const std::int64_t count = std::max<std::int64_t>(bytes / 8, kGrain);
  std::vector<std::uint64_t> words(static_cast<std::size_t>(count));
  parallel_ranges(count, kGrain, kGrain, [&words](std::int64_t begin, std::int64_t end) {
    std::fill(words.begin() + begin, words.begin() + end, static_cast<std::uint64_t>(begin));
  });
  return [words = std::move(words), count] {
    parallel_ranges(count, kGrain, kGrain, [&words](std::int64_t begin, std::int64_t end) {
      static std::atomic<std::uint64_t> sink = 0;  // so that nothing is left out as unused
      sink.fetch_xor(fold(words.data() + begin, end - begin), std::memory_order_relaxed);
    });
  };
}

std::function<void()> gpu_pass(std::int64_t bytes) {
  const mx::array words = mx::ones({static_cast<int>(std::min(bytes / 4, std::int64_t{1} << 30))});
  mx::eval(words);
  return [words] { mx::eval(mx::sum(words)); };
}

}  // namespace

double read_bandwidth(std::int64_t bytes, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto pass = mx::default_device() == mx::Device::cpu ? cpu_pass(bytes) : gpu_pass(bytes);
  pass();
  std::vector<double> times;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (times.size() < 3 || Clock::now() < end) {
    const auto start = Clock::now();
    pass();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return static_cast<double>(bytes) / *middle;
}

}  // namespace convergio::kernels
