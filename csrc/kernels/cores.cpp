#include "kernels/cores.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#if defined(__linux__)
#include <sched.h>
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

/// The cores a quota of `quota` µs in each `period` µs pays for; 0 where there is no limit.
int cores_by_quota(long quota, long period) {
  return quota > 0 && period > 0 ? static_cast<int>((quota + period - 1) / period) : 0;
}

/// cgroup v2's cpu.max in one folder: "<quota|max> <period>".
int limit_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  long period = 0;
  if (!(file >> quota >> period) || quota == "max") {
    return 0;
  }
  return cores_by_quota(std::strtol(quota.c_str(), nullptr, 10), period);
}

int limit_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  long quota = 0;
  long period = 0;
  return quota_file >> quota && period_file >> period ? cores_by_quota(quota, period) : 0;
}

/// The tightest limit from a group's folder up to the root of its hierarchy.
int limit_above(const std::string& root, std::string path, int (*limit)(const std::string&)) {
  int tightest = 0;
  while (true) {
    const int here = limit(root + path);
    if (here > 0 && (tightest == 0 || here < tightest)) {
      tightest = here;
    }
    if (path.empty()) {
      return tightest;
    }
    const auto slash = path.find_last_of('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
}

/// The quota of this process's control group in cores; 0 where there is none.
int cores_by_cgroup() {
  std::ifstream groups("/proc/self/cgroup");  // lines of "id:controllers:path"
  int tightest = 0;
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      continue;
    }
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") {
      path.resize(0);
    }
    int limit = 0;
    if (controllers.empty()) {
      limit = limit_above("/sys/fs/cgroup", path, limit_v2);
    } else if (controllers == "cpu" || controllers == "cpu,cpuacct") {
      limit = limit_above("/sys/fs/cgroup/cpu", path, limit_v1);
    }
    if (limit > 0 && (tightest == 0 || limit < tightest)) {
      tightest = limit;
    }
  }
  return tightest;
}

int count_cores() {
  const int cores = cores_by_affinity();
  const int quota = cores_by_cgroup();
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
