#include "kernels/mlx/mapped_arrays.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "io/error.h"
#include "io/files.h"
#include "mlx/memory.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// A file of `size` bytes, each its place's, and the extents of its tensors.
struct Made {
  TemporaryFolder folder;
  std::string bytes;
  std::shared_ptr<const io::MappedFile> file;
  std::vector<io::Extent> tensors;

  Made(std::size_t begin, std::vector<std::size_t> sizes, std::size_t item) {
    bytes.resize(begin);
    for (const std::size_t size : sizes) {
      tensors.push_back({.begin = bytes.size(), .bytes = size, .item = item});
      bytes.resize(bytes.size() + size);
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(i * 2654435761U >> 13);
    }
    file = std::make_shared<const io::MappedFile>(folder.write("weights", bytes));
  }

  mx::array load(const MappedArrays& arrays, std::size_t i) const {
    const auto count = static_cast<int>(tensors[i].bytes / 4);
    return arrays.tensor(tensors[i].begin, {count}, mx::uint32);
  }

  bool holds(const mx::array& a, std::size_t i) const {
    return a.nbytes() == tensors[i].bytes &&
           std::memcmp(a.data<std::byte>(), bytes.data() + tensors[i].begin, a.nbytes()) == 0;
  }
};

io::Binding pages(std::size_t longest = 64 * kMiB) {
  return {.kind = io::Binding::Kind::Pages, .page = io::page_size(), .longest = longest};
}

}  // namespace

TEST(tensors_bound_in_pages_are_the_files_bytes_and_none_of_them_is_copied) {
  const Made made(4096 + 8, {2 * kMiB, 4, 3 * kMiB, 0, 2 * kMiB + 12}, 4);
  for (const std::size_t longest : {64 * kMiB, 4 * kMiB}) {
    const std::size_t before = mx::get_active_memory();
    const MappedArrays arrays(made.file, made.tensors, pages(longest));
    for (std::size_t i = 0; i < made.tensors.size(); ++i) {
      const mx::array a = made.load(arrays, i);
      CHECK(made.holds(a, i));
      const bool bound =
          a.nbytes() == 0 || a.data<std::byte>() == made.file->data() + made.tensors[i].begin;
      CHECK(bound);
    }
    CHECK_EQ(mx::get_active_memory(), before);
  }
}

TEST(misaligned_tensors_are_read_once_each_and_nothing_else_is_held) {
  const Made made(4096 + 6, {9 * kMiB, 4, 3 * kMiB + 4}, 4);
  for (const io::Binding& binding : {pages(), io::Binding{}}) {
    mx::clear_cache();
    mx::reset_peak_memory();
    const std::size_t before = mx::get_active_memory();
    {
      const MappedArrays arrays(made.file, made.tensors, binding);
      std::vector<mx::array> all;
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < made.tensors.size(); ++i) {
        all.push_back(made.load(arrays, i));
        CHECK(made.holds(all.back(), i));
        bytes += all.back().nbytes();
      }
      CHECK(mx::get_peak_memory() >= before + bytes);
      CHECK(mx::get_peak_memory() < before + bytes + 64 * 1024);
    }
    CHECK_EQ(mx::get_active_memory(), before);
  }
}

TEST(a_tensor_outlives_its_arrays_and_the_name_of_its_file) {
  Made made(4096, {2 * kMiB}, 4);
  const mx::array a = made.load(MappedArrays(std::move(made.file), made.tensors, pages()), 0);
  std::filesystem::remove(made.folder.path() / "weights");
  CHECK(made.holds(a, 0));
}

TEST(a_file_whose_name_leads_elsewhere_is_read_from_its_mapping) {
  const Made made(4096 + 1, {5 * kMiB}, 4);
  const MappedArrays arrays(made.file, made.tensors, io::Binding{});
  made.folder.write("other", std::string(made.bytes.size(), 'x'));
  std::filesystem::rename(made.folder.path() / "other", made.folder.path() / "weights");
  CHECK(made.holds(made.load(arrays, 0), 0));
}

TEST(a_file_that_was_cut_off_is_told_of_when_it_is_read) {
  const Made made(4096 + 1, {5 * kMiB}, 4);
  const MappedArrays arrays(made.file, made.tensors, io::Binding{});
  std::filesystem::resize_file(made.folder.path() / "weights", kMiB);
  CHECK_THROWS(made.load(arrays, 0), ModelCorrupt,
               "[mmap] " + (made.folder.path() / "weights").string() +
                   " was cut off while it was in use; repair the model and load it again.");
}

}  // namespace convergio::kernels
