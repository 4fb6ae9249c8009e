#include "kernels/cpu/cores.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#if defined(__linux__)
#include <sched.h>

#include "kernels/cpu/cgroup.h"
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace convergio::kernels {

namespace {

#if defined(__linux__)

int cores_by_affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return CPU_COUNT(&set);
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

int count_cores() {
  const int cores = cores_by_affinity();
  const int quota = cgroup_cores();
  return quota > 0 ? std::min(cores, quota) : cores;
}

#elif defined(__APPLE__)

int count_cores() {
  int cores = 0;
  std::size_t size = sizeof(cores);
  if (sysctlbyname("hw.perflevel0.logicalcpu", &cores, &size, nullptr, 0) == 0) {
    return cores;
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

#else

int count_cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

#endif

int chosen_threads() {
  const char* wanted = std::getenv("CONVERGIO_MLX_THREADS");
  if (wanted == nullptr || *wanted == '\0') {
    return usable_cores();
  }
  constexpr int kMost = 1024;
  const std::string_view text(wanted);
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (error != std::errc() || end != text.data() + text.size() || threads < 1 || threads > kMost) {
    throw std::invalid_argument("[threads] CONVERGIO_MLX_THREADS is '" + std::string(text) +
                                "' but must be a whole number from 1 to 1024.");
  }
  return threads;
}

}  // namespace

int usable_cores() { return std::max(1, count_cores()); }

int thread_count() {
  static const int threads = chosen_threads();
  return threads;
}

}  // namespace convergio::kernels
