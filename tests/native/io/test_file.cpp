#include "io/file.h"

#include <sys/stat.h>

#include <string>

#include "check.h"
#include "io/files.h"

using convergio::io::read_file;

TEST(a_file_is_read_whole) {
  const TemporaryFolder folder;
  for (const std::size_t size : {0, 1, 5000}) {
    const std::string bytes(size, 'x');
    CHECK_EQ(read_file(folder.write("a", bytes), size), bytes);
  }
}

TEST(a_larger_file_than_expected_is_not_read) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.write("a", "");
  std::filesystem::resize_file(path, std::size_t{1} << 40);  // a hole
  CHECK_THROWS(read_file(path, 16), ModelCorrupt,
               "[file] " + path.string() +
                   " has 1099511627776 bytes, which must be at most 16; download it again or "
                   "correct it.");
}

TEST(neither_pipes_nor_devices_nor_folders_are_read) {
  const TemporaryFolder folder;
  const std::filesystem::path pipe = folder.path() / "pipe";
  CHECK_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::filesystem::path& path :
       {pipe, folder.path(), std::filesystem::path("/dev/zero")}) {
    CHECK_THROWS(read_file(path, 16), LoadFailed,
                 "[file] " + path.string() + " is not a regular file; give the path of a file.");
  }
}

TEST(a_file_that_is_not_there_is_not_found) {
  CHECK_THROWS(read_file("/nowhere/config.json", 16), ModelNotFound,
               "[file] /nowhere/config.json can't be opened (No such file or directory); give the "
               "path of an existing file.");
}
