#include "kernels/cpu/cgroup.h"

#include <cstdlib>
#include <fstream>
#include <string>

namespace convergio::kernels {

namespace {

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

/// The tightest limit from a group's folder up to the root of its hierarchy. In a container the
/// group's own path is often not to be seen, and the root stands for it.
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

}  // namespace

int cgroup_cores(const std::filesystem::path& groups, const std::filesystem::path& root) {
  std::ifstream lines(groups);  // of "id:controllers:path"
  int tightest = 0;
  for (std::string line; std::getline(lines, line);) {
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
      limit = limit_above(root, path, limit_v2);
    } else if (controllers == "cpu" || controllers == "cpu,cpuacct") {
      limit = limit_above(root / "cpu", path, limit_v1);
    }
    if (limit > 0 && (tightest == 0 || limit < tightest)) {
      tightest = limit;
    }
  }
  return tightest;
}

}  // namespace convergio::kernels
