#include "io/mapping_plan.h"

#include <algorithm>
#include <iterator>

namespace convergio::io {

namespace {

bool aligned(const Extent& tensor) { return tensor.begin % tensor.item == 0; }

// The pages that have the bytes [begin, end).
MappingPlan::Buffer pages_of(std::size_t begin, std::size_t end, std::size_t page) {
  const std::size_t first = begin / page * page;
  return {.begin = first, .bytes = (end - first + page - 1) / page * page};
}

}  // namespace

MappingPlan::MappingPlan(std::span<const Extent> tensors, const Binding& binding) {
  if (binding.kind != Binding::Kind::Pages) return;
  std::vector<Extent> all;
  std::ranges::copy_if(tensors, std::back_inserter(all),
                       [](const Extent& t) { return t.bytes > 0; });
  std::ranges::sort(all, {}, &Extent::begin);
  std::size_t begin = 0;
  std::size_t end = 0;  // of the run so far; nothing where they are equal
  const auto close_run = [&] {
    if (end - begin >= kShortestRun) buffers_.push_back(pages_of(begin, end, binding.page));
    begin = end = 0;
  };
  for (const Extent& tensor : all) {
    const std::size_t last = tensor.begin + tensor.bytes;
    const auto fits_from = [&](std::size_t first) {
      return pages_of(first, last, binding.page).bytes <= binding.longest;
    };
    if (!aligned(tensor) || !fits_from(tensor.begin)) {
      close_run();
      continue;
    }
    if (end > begin && !fits_from(begin)) close_run();
    if (end == begin) begin = tensor.begin;
    end = std::max(end, last);
  }
  close_run();
}

const MappingPlan::Buffer* MappingPlan::buffer_of(const Extent& tensor) const {
  if (!aligned(tensor) || tensor.bytes == 0) return nullptr;
  const auto has_all = [&](const Buffer& buffer) {
    return buffer.begin <= tensor.begin &&
           tensor.begin + tensor.bytes <= buffer.begin + buffer.bytes;
  };
  const auto after = std::ranges::upper_bound(buffers_, tensor.begin, {}, &Buffer::begin);
  // two that follow each other may share a page, so the tensor may end in the one before
  for (auto at = after; at != buffers_.begin() && after - at < 2;) {
    if (has_all(*--at)) return &*at;
  }
  return nullptr;
}

}  // namespace convergio::io
