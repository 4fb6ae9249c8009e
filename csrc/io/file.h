// Opening files that someone else may have put there: only regular ones, so that no pipe or device
// is ever waited for.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>

namespace convergio::io {

// Which file it is, whatever its name.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

// An open regular file; closed on every way out.
class File {
 public:
  // Throws Error: ModelNotFound when nothing is there, LoadFailed when it can't be opened or is not
  // a regular file.
  explicit File(const std::filesystem::path& path);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  std::size_t size() const noexcept { return size_; }  // bytes, when it was opened
  FileIdentity identity() const noexcept { return identity_; }

  // Throws Error (LoadFailed) that names the file and the system's error.
  [[noreturn]] void fail(int code) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::size_t size_ = 0;
  FileIdentity identity_;
};

// The whole of a small file, read rather than mapped: what changes it meanwhile can't end the
// process. Throws what File throws, and Error (ModelCorrupt) where it has more than max_bytes.
std::string read_file(const std::filesystem::path& path, std::size_t max_bytes);

}  // namespace convergio::io
