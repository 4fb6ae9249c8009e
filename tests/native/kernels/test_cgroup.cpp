#include "kernels/cpu/cgroup.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "check.h"

using convergio::kernels::cgroup_cores;

namespace {

namespace fs = std::filesystem;

/// A folder in the form of /proc/self/cgroup and /sys/fs/cgroup.
class Groups {
 public:
  explicit Groups(const std::string& list) {
    std::string pattern = (fs::temp_directory_path() / "cgroupXXXXXX").string();
    root_ = mkdtemp(pattern.data());
    write("list", list);
  }
  ~Groups() { fs::remove_all(root_); }
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;

  void write(const fs::path& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  int cores() const { return cgroup_cores(root_ / "list", root_); }

 private:
  fs::path root_;
};

TEST(no_quota_is_no_limit) {
  const Groups groups("0::/user.slice\n");
  CHECK_EQ(groups.cores(), 0);
  groups.write("user.slice/cpu.max", "max 100000\n");
  CHECK_EQ(groups.cores(), 0);
  CHECK_EQ(cgroup_cores("/no/such/list", "/no/such/root"), 0);
}

TEST(v2_quotas_are_rounded_up) {
  const Groups groups("0::/user.slice\n");
  groups.write("user.slice/cpu.max", "200000 100000\n");
  CHECK_EQ(groups.cores(), 2);
  groups.write("user.slice/cpu.max", "150000 100000\n");
  CHECK_EQ(groups.cores(), 2);
  groups.write("user.slice/cpu.max", "5000 100000\n");
  CHECK_EQ(groups.cores(), 1);
}

TEST(the_tightest_group_above_counts) {
  const Groups groups("0::/a/b\n");
  groups.write("a/cpu.max", "300000 100000\n");
  groups.write("a/b/cpu.max", "800000 100000\n");
  CHECK_EQ(groups.cores(), 3);
}

TEST(a_container_sees_its_group_at_the_root) {
  const Groups groups("0::/docker/4f2a\n");
  groups.write("cpu.max", "400000 100000\n");
  CHECK_EQ(groups.cores(), 4);
}

TEST(v1) {
  const Groups groups("7:memory:/x\n3:cpu,cpuacct:/docker/9\n0::/\n");
  groups.write("cpu/docker/9/cpu.cfs_quota_us", "600000\n");
  groups.write("cpu/docker/9/cpu.cfs_period_us", "100000\n");
  CHECK_EQ(groups.cores(), 6);
  groups.write("cpu/docker/9/cpu.cfs_quota_us", "-1\n");
  CHECK_EQ(groups.cores(), 0);
}

TEST(odd_files_are_no_limit) {
  const Groups groups("junk\n::\n0::/a\n");
  for (const char* text : {"", "max", "x y", "100000", "100000 0", "-5 100000"}) {
    groups.write("a/cpu.max", text);
    CHECK_EQ(groups.cores(), 0);
  }
}

}  // namespace
