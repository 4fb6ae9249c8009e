// A whole file, mapped read-only: its bytes are there without having been read.
#pragma once

#include <cstddef>
#include <filesystem>

namespace convergio::io {

// Movable, not copyable; share it as std::shared_ptr<const MappedFile>.
//
// The size is taken once, when the file is opened, and every offset is checked against it. A file
// that another process truncates afterwards raises SIGBUS where the lost bytes are touched: that
// is the kernel's answer to every mapping and no check of ours can prevent it. Install a new
// version of a file by renaming over the old one, which keeps the old bytes mapped.
class MappedFile {
 public:
  // Throws Error: ModelNotFound when nothing is there, LoadFailed when it can't be opened, is not
  // a regular file, or can't be mapped. An empty file has size 0 and no mapping.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const noexcept { return data_; }  // page-aligned; nullptr when empty
  std::size_t size() const noexcept { return size_; }       // bytes
  const std::filesystem::path& path() const noexcept { return path_; }

  // Bytes of the mapping that are in memory now (mincore), whole pages, whoever read them: after
  // the page cache was emptied it shows what loading has read.
  std::size_t resident_bytes() const;

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace convergio::io
