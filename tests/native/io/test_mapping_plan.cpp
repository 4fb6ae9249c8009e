#include "io/mapping_plan.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

#include "check.h"

using convergio::io::Binding;
using convergio::io::Extent;
using convergio::io::MappingPlan;

namespace {

constexpr std::size_t kPage = 16384;
constexpr std::size_t kMiB = std::size_t{1} << 20;

Binding pages(std::size_t longest = 64 * kMiB) {
  return {.kind = Binding::Kind::Pages, .page = kPage, .longest = longest};
}

// Tensors one after another from `begin` on: {bytes, item} each.
std::vector<Extent> laid_out(std::size_t begin,
                             const std::vector<std::pair<std::size_t, std::size_t>>& sizes) {
  std::vector<Extent> all;
  for (const auto& [bytes, item] : sizes) {
    all.push_back({.begin = begin, .bytes = bytes, .item = item});
    begin += bytes;
  }
  return all;
}

// What holds for every plan.
void check_plan(const std::vector<Extent>& tensors, const Binding& binding) {
  const MappingPlan plan(tensors, binding);
  const std::size_t end = tensors.empty() ? 0 : tensors.back().begin + tensors.back().bytes;
  std::size_t bound = 0;
  std::size_t counted = 0;
  for (const MappingPlan::Buffer& buffer : plan.buffers()) {
    CHECK_EQ(buffer.begin % binding.page, 0);
    CHECK_EQ(buffer.bytes % binding.page, 0);
    CHECK(buffer.bytes > 0 && buffer.bytes <= binding.longest);
    CHECK(buffer.begin + buffer.bytes <
          end + binding.page);  // no page that the file has nothing of
    counted += buffer.bytes;
  }
  for (std::size_t i = 1; i < plan.buffers().size(); ++i) {
    const MappingPlan::Buffer& before = plan.buffers()[i - 1];
    // only a page at the edge may be in both
    CHECK(before.begin + before.bytes <= plan.buffers()[i].begin + binding.page);
  }
  for (const Extent& tensor : tensors) {
    const MappingPlan::Buffer* buffer = plan.buffer_of(tensor);
    if (buffer == nullptr) continue;
    CHECK_EQ((tensor.begin - buffer->begin) % tensor.item, 0);
    CHECK(buffer->begin <= tensor.begin);
    CHECK(tensor.begin + tensor.bytes <= buffer->begin + buffer->bytes);
    bound += tensor.bytes;
  }
  // what is counted beside the tensors is the edges' pages and small neighbours within them
  CHECK(counted <= bound + 4 * binding.page * plan.buffers().size());
}

}  // namespace

TEST(an_aligned_file_is_one_buffer_and_every_other_header_leaves_its_tensors_to_be_read) {
  for (std::size_t header = 0; header < 8; ++header) {
    const auto tensors = laid_out(4096 + header, {{2 * kMiB, 4}, {kMiB, 4}, {3 * kMiB, 4}});
    const MappingPlan plan(tensors, pages());
    check_plan(tensors, pages());
    CHECK_EQ(plan.buffers().size(), header % 4 == 0 ? 1 : 0);
    for (const Extent& tensor : tensors) {
      CHECK_EQ(plan.buffer_of(tensor) != nullptr, header % 4 == 0);
    }
  }
}

TEST(the_last_page_is_bound_whole_wherever_the_file_ends) {
  for (const std::size_t tail : {0UL, 1UL, 2UL, kPage - 1, kPage / 2}) {
    const auto tensors = laid_out(64, {{4 * kMiB, 1}, {kPage - 64 + tail, 1}});
    const MappingPlan plan(tensors, pages());
    check_plan(tensors, pages());
    CHECK_EQ(plan.buffers().size(), 1);
    CHECK_EQ(plan.buffers()[0].bytes, 4 * kMiB + kPage + (tail == 0 ? 0 : kPage));
  }
}

TEST(a_file_longer_than_the_longest_buffer_is_cut_between_tensors) {
  const auto tensors = laid_out(72, {{3 * kMiB, 4}, {3 * kMiB, 4}, {3 * kMiB, 4}, {2 * kMiB, 4}});
  const Binding binding = pages(7 * kMiB);
  const MappingPlan plan(tensors, binding);
  check_plan(tensors, binding);
  CHECK_EQ(plan.buffers().size(), 2);
  for (const Extent& tensor : tensors) CHECK(plan.buffer_of(tensor) != nullptr);
}

TEST(a_tensor_longer_than_the_longest_buffer_is_left_and_its_neighbours_are_bound) {
  const auto tensors = laid_out(64, {{2 * kMiB, 4}, {8 * kMiB, 4}, {2 * kMiB, 4}});
  const Binding binding = pages(4 * kMiB);
  const MappingPlan plan(tensors, binding);
  check_plan(tensors, binding);
  CHECK(plan.buffer_of(tensors[0]) != nullptr);
  CHECK(plan.buffer_of(tensors[1]) == nullptr);
  CHECK(plan.buffer_of(tensors[2]) != nullptr);
}

TEST(empty_tensors_and_files_have_no_buffer) {
  CHECK(MappingPlan({}, pages()).buffers().empty());
  const auto tensors = laid_out(64, {{0, 4}, {2 * kMiB, 4}, {0, 2}, {2 * kMiB, 4}, {0, 8}});
  const MappingPlan plan(tensors, pages());
  CHECK_EQ(plan.buffers().size(), 1);
  for (const Extent& tensor : tensors) {
    CHECK_EQ(plan.buffer_of(tensor) != nullptr, tensor.bytes > 0);
  }
}

TEST(misaligned_tensors_are_not_bound_and_long_runs_between_them_are) {
  // 16-bit scales at a multiple of 2 between words of 32 bits that are not at one of 4
  const auto tensors =
      laid_out(66, {{2 * kMiB, 4}, {512 * 1024, 2}, {8 * kMiB, 4}, {2 * kMiB, 2}, {4, 4}});
  const MappingPlan plan(tensors, pages());
  check_plan(tensors, pages());
  CHECK_EQ(plan.buffers().size(), 1);
  CHECK(plan.buffer_of(tensors[0]) == nullptr);
  CHECK(plan.buffer_of(tensors[1]) == nullptr);  // too short a run
  CHECK(plan.buffer_of(tensors[2]) == nullptr);
  CHECK(plan.buffer_of(tensors[3]) != nullptr);
}

TEST(other_bindings_have_no_buffers) {
  const auto tensors = laid_out(64, {{2 * kMiB, 4}});
  CHECK(MappingPlan(tensors, {.kind = Binding::Kind::Anywhere}).buffers().empty());
  CHECK(MappingPlan(tensors, {}).buffers().empty());
}

TEST(any_layout_is_planned_within_the_rules) {
  std::mt19937 random(7);  // NOLINT: the same layouts each time
  const auto up_to = [&](std::size_t most) { return static_cast<std::size_t>(random()) % most; };
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::pair<std::size_t, std::size_t>> sizes(up_to(12));
    for (auto& [bytes, item] : sizes) {
      item = std::size_t{1} << up_to(4);
      bytes = (up_to(3) == 0 ? up_to(64) : up_to(3 * kMiB)) / item * item;
    }
    const Binding binding = pages((1 + up_to(400)) * kPage);
    auto tensors = laid_out(8 + up_to(100000), sizes);
    check_plan(tensors, binding);
    const MappingPlan plan(tensors, binding);
    std::ranges::shuffle(tensors, random);
    const MappingPlan same(tensors, binding);
    CHECK_EQ(same.buffers().size(), plan.buffers().size());
    for (const Extent& tensor : tensors) {
      CHECK_EQ(same.buffer_of(tensor) == nullptr, plan.buffer_of(tensor) == nullptr);
    }
  }
}
