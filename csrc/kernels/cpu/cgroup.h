#pragma once

#include <filesystem>

namespace convergio::kernels {

/// The CPU quota of this process's control group in cores, rounded up; 0 where there is none. The
/// tightest of its group's and of those above it, in cgroup v1 and v2.
/// `groups` is the process's list of groups, and `root` where the hierarchies are mounted.
int cgroup_cores(const std::filesystem::path& groups = "/proc/self/cgroup",
                 const std::filesystem::path& root = "/sys/fs/cgroup");

}  // namespace convergio::kernels
