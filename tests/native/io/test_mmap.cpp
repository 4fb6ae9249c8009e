#include "io/mmap.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "check.h"
#include "io/files.h"

using convergio::io::MappedFile;

namespace {

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

}  // namespace

TEST(mapping_shows_the_bytes_of_the_file) {
  const TemporaryFolder folder;
  const MappedFile file(folder.write("a", "some bytes"));
  CHECK_EQ(text_of(file), "some bytes");
  CHECK_EQ(file.path(), folder.path() / "a");
  CHECK(file.resident_bytes() > 0);
}

TEST(an_empty_file_needs_no_mapping) {
  const TemporaryFolder folder;
  const MappedFile file(folder.write("empty", ""));
  CHECK_EQ(file.size(), 0);
  CHECK(file.data() == nullptr);
  CHECK_EQ(file.resident_bytes(), 0);
}

TEST(a_mapping_moves) {
  const TemporaryFolder folder;
  MappedFile first(folder.write("a", "aaa"));
  MappedFile second(std::move(first));
  CHECK_EQ(text_of(second), "aaa");
  MappedFile third(folder.write("b", "b"));
  third = std::move(second);
  CHECK_EQ(text_of(third), "aaa");
  CHECK_EQ(third.path(), folder.path() / "a");
}

/// Which is taken from the file itself where the path still leads to it.
TEST(a_number_is_read_whatever_its_place_and_its_name) {
  const TemporaryFolder folder;
  const std::string text = std::string(9000, 'a') + "bcd";
  const MappedFile file(folder.write("a", text));
  const auto number_at = [&](std::size_t from) {
    std::array<std::byte, 2> number{};
    file.read(from, number.size(), number.data());
    return std::string(reinterpret_cast<const char*>(number.data()), number.size());
  };
  CHECK_EQ(number_at(0), "aa");
  CHECK_EQ(number_at(9001), "cd");
  std::filesystem::rename(folder.write("b", "other"), folder.path() / "a");
  CHECK_EQ(number_at(9000), "bc");
}

TEST(a_mapping_outlives_a_file_renamed_over_it) {
  const TemporaryFolder folder;
  const MappedFile file(folder.write("a", "old"));
  std::filesystem::rename(folder.write("b", "new bytes"), folder.path() / "a");
  CHECK_EQ(text_of(file), "old");
}

TEST(what_is_cut_off_a_mapped_file_reads_as_zeros_and_is_noted) {
  const TemporaryFolder folder;
  const std::string bytes(1 << 20, 'x');
  const std::filesystem::path path = folder.write("a", bytes);
  const std::filesystem::path other = folder.write("b", bytes);
  const MappedFile file(path);
  const MappedFile sound(other);
  file.check_size();
  std::filesystem::resize_file(path, 100'000);
  const std::string begin = "[mmap] " + path.string() + " was cut off";
  const std::string end = " while it was in use; repair the model and load it again.";
  file.check_undamaged();  // nothing was read yet
  CHECK_THROWS(file.check_size(), ModelCorrupt, begin + " to 100000 of its 1048576 bytes" + end);
  CHECK_EQ(static_cast<char>(file.data()[99'999]), 'x');
  CHECK_EQ(static_cast<char>(file.data()[1 << 19]), '\0');
  CHECK_EQ(static_cast<char>(file.data()[(1 << 20) - 1]), '\0');
  CHECK_THROWS(file.check_undamaged(), ModelCorrupt, begin + ", or its disk failed," + end);
  std::filesystem::resize_file(path, bytes.size());
  CHECK_THROWS(file.check_size(), ModelCorrupt, begin + ", or its disk failed," + end);
  sound.check_size();
  CHECK_EQ(text_of(sound), bytes);
  CHECK_EQ(static_cast<char>(MappedFile(other).data()[5]), 'x');
}

TEST(threads_that_read_what_was_cut_off_all_go_on) {
  for (int round = 0; round < 20; ++round) {
    const TemporaryFolder folder;
    const std::filesystem::path path = folder.write("a", std::string(1 << 20, 'x'));
    MappedFile first(path);
    const MappedFile file(std::move(first));
    std::filesystem::resize_file(path, 0);
    std::vector<std::thread> threads;
    std::atomic<int> sum = 0;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        for (std::size_t at = 0; at < file.size(); at += 1000) {
          sum += static_cast<int>(file.data()[i % 2 == 0 ? at : file.size() - 1 - at]);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK_EQ(sum.load(), 0);
  }
}

TEST(a_file_replaced_by_a_rename_is_not_cut_off) {
  const TemporaryFolder folder;
  const MappedFile file(folder.write("a", "old bytes"));
  std::filesystem::rename(folder.write("b", "new"), folder.path() / "a");
  file.check_size();
  std::filesystem::remove(folder.path() / "a");
  file.check_size();
  CHECK_EQ(text_of(file), "old bytes");
}

TEST(a_missing_file_is_not_found) {
  CHECK_THROWS(
      MappedFile("/nowhere/model.safetensors"), ModelNotFound,
      "[file] /nowhere/model.safetensors can't be opened (No such file or directory); give "
      "the path of an existing file.");
}

TEST(a_folder_is_refused) {
  const TemporaryFolder folder;
  CHECK_THROWS(
      MappedFile(folder.path()), LoadFailed,
      "[file] " + folder.path().string() + " is not a regular file; give the path of a file.");
}

TEST(a_pipe_is_refused_without_waiting_for_a_writer) {
  const TemporaryFolder folder;
  const std::filesystem::path pipe = folder.path() / "pipe";
  CHECK_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  CHECK_THROWS(MappedFile(pipe), LoadFailed,
               "[file] " + pipe.string() + " is not a regular file; give the path of a file.");
}

TEST(a_file_without_read_permission_says_so) {
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  const std::filesystem::path path = folder.write("secret", "x");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  const NoPrivileges lowered;
  CHECK_THROWS(MappedFile(path), LoadFailed,
               "[file] " + path.string() +
                   " can't be opened (Permission denied); make it readable for this user.");
}

TEST(no_descriptor_stays_open) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.write("a", "x");
  const int before = ::open(path.c_str(), O_RDONLY);
  ::close(before);
  std::vector<MappedFile> files;
  for (int i = 0; i < 10; ++i) files.emplace_back(path);
  CHECK_THROWS(
      MappedFile(folder.path()), LoadFailed,
      "[file] " + folder.path().string() + " is not a regular file; give the path of a file.");
  const int after = ::open(path.c_str(), O_RDONLY);
  ::close(after);
  CHECK_EQ(after, before);
}

TEST(released_pages_are_read_again) {
  const TemporaryFolder folder;
  const std::string text(100'000, 'x');
  const MappedFile file(folder.write("a", text));
  CHECK_EQ(text_of(file), text);
  file.release(file.data() + 1, file.size() - 1);
  file.release(file.data() + 5, 3);
  file.release(file.data(), 0);
  CHECK_EQ(text_of(file), text);
}
