#include "io/mmap.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <string_view>
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

TEST(a_mapping_outlives_a_file_renamed_over_it) {
  const TemporaryFolder folder;
  const MappedFile file(folder.write("a", "old"));
  std::filesystem::rename(folder.write("b", "new bytes"), folder.path() / "a");
  CHECK_EQ(text_of(file), "old");
}

TEST(a_missing_file_is_not_found) {
  CHECK_THROWS(
      MappedFile("/nowhere/model.safetensors"), ModelNotFound,
      "[mmap] /nowhere/model.safetensors can't be opened (No such file or directory); give "
      "the path of an existing file.");
}

TEST(a_folder_is_refused) {
  const TemporaryFolder folder;
  CHECK_THROWS(
      MappedFile(folder.path()), LoadFailed,
      "[mmap] " + folder.path().string() + " is not a regular file; give the path of a file.");
}

TEST(a_pipe_is_refused_without_waiting_for_a_writer) {
  const TemporaryFolder folder;
  const std::filesystem::path pipe = folder.path() / "pipe";
  CHECK_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  CHECK_THROWS(MappedFile(pipe), LoadFailed,
               "[mmap] " + pipe.string() + " is not a regular file; give the path of a file.");
}

TEST(a_file_without_read_permission_says_so) {
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  const std::filesystem::path path = folder.write("secret", "x");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  const NoPrivileges lowered;
  CHECK_THROWS(MappedFile(path), LoadFailed,
               "[mmap] " + path.string() +
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
      "[mmap] " + folder.path().string() + " is not a regular file; give the path of a file.");
  const int after = ::open(path.c_str(), O_RDONLY);
  ::close(after);
  CHECK_EQ(after, before);
}
