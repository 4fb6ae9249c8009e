// A whole file, mapped read-only: its bytes are there without having been read.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "io/file.h"
#include "io/mapping_guard.h"

namespace convergio::io {

// Bytes of a page of memory.
std::size_t page_size();

// Movable, not copyable; share it as std::shared_ptr<const MappedFile>.
//
// The size is taken once, when the file is opened, and every offset is checked against it. What
// another process cuts off afterwards reads as zeros (mapping_guard.h), so that a thread which
// computes with the bytes calls check_undamaged() before the result is used. Bytes that are
// overwritten in place can't be noticed. Install a new version of a file by renaming over the old
// one, which keeps the old bytes mapped.
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

  // Bytes of the mapping that are in memory now (mincore), whole pages, whichever process read
  // them: after the page cache was emptied it shows what loading has read.
  std::size_t resident_bytes() const;

  // Copies `bytes` bytes of the file, from offset `from` on, to `to`: read where the path still
  // leads to this file, since a disk gives that faster than page faults, else out of the mapping.
  // Throws Error: ModelCorrupt where the file no longer has them, LoadFailed where they can't be
  // read.
  void read(std::size_t from, std::size_t bytes, std::byte* to) const;

  // These bytes of the mapping are not needed soon: whole pages among them leave this process's
  // memory, and are read again from the file where they are.
  void release(const std::byte* begin, std::size_t bytes) const noexcept;

  // Throws Error (ModelCorrupt) once bytes were read that the file no longer had. Costs nothing.
  void check_undamaged() const;
  // The same where the file at path() is still this one and has become shorter. A call of stat.
  void check_size() const;

 private:
  [[noreturn]] void fault(const std::string& what) const;

  std::filesystem::path path_;
  FileIdentity identity_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  MappingGuard guard_;
};

}  // namespace convergio::io
