#include "kernels/mlx/policy.h"

#include "check.h"

namespace convergio::kernels::testing {

namespace {

constexpr std::size_t kGigabyte = std::size_t{1} << 30;

}  // namespace

TEST(each_backend_has_its_row) {
  for (const Backend backend : {Backend::Cpu, Backend::Metal, Backend::Cuda}) {
    CHECK(policy_of(backend).backend == backend);
  }
  CHECK(policy().backend == Backend::Cpu);
  CHECK(!policy_of(Backend::Cpu).wires);
}

TEST(what_is_wired_leaves_the_system_a_reserve) {
  CHECK_EQ(wired_bytes(4 * kGigabyte, 11 * kGigabyte), 5 * kGigabyte);  // 16 GB of memory
  CHECK_EQ(wired_bytes(20 * kGigabyte, 11 * kGigabyte), 9 * kGigabyte);
  CHECK_EQ(wired_bytes(90 * kGigabyte, 96 * kGigabyte), 84 * kGigabyte);
  CHECK_EQ(wired_bytes(kGigabyte, 2 * kGigabyte), 0);
  CHECK_EQ(wired_bytes(kGigabyte, 0), 0);
}

TEST(only_the_first_two_generations_emulate_bfloat16) {
  CHECK(emulates_bfloat16("applegpu_g13g"));
  CHECK(emulates_bfloat16("applegpu_g14s"));
  CHECK(!emulates_bfloat16("applegpu_g15d"));
  CHECK(!emulates_bfloat16("applegpu_g16p"));
  CHECK(!emulates_bfloat16(""));
  CHECK(!emulates_bfloat16());
}

}  // namespace convergio::kernels::testing
