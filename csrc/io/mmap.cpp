#include "io/mmap.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "io/error.h"
#include "io/text.h"

namespace convergio::io {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int code) {
  const bool missing = code == ENOENT || code == ENOTDIR;
  std::string_view remedy = "check the disk and the limits of this process";
  if (missing) remedy = "give the path of an existing file";
  if (code == EACCES || code == EPERM) remedy = "make it readable for this user";
  throw Error(missing ? ErrorKind::ModelNotFound : ErrorKind::LoadFailed,
              "[mmap] " + printable(path.string(), 4096) + " can't be opened (" +
                  std::generic_category().message(code) + "); " + std::string(remedy) + ".");
}

// Closes on every way out; a mapping outlives its descriptor.
struct Descriptor {
  int fd;
  ~Descriptor() { ::close(fd); }
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  // O_NONBLOCK: opening a pipe without a writer would wait for one.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail(path, errno);
  const Descriptor descriptor{fd};
  struct stat status{};
  if (::fstat(fd, &status) != 0) fail(path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::LoadFailed, "[mmap] " + printable(path.string(), 4096) +
                                           " is not a regular file; give the path of a file.");
  }
  if (std::cmp_greater(status.st_size, std::numeric_limits<std::size_t>::max())) fail(path, EFBIG);
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;  // mmap refuses length 0
  void* mapping = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapping == MAP_FAILED) fail(path, errno);
  data_ = static_cast<const std::byte*>(mapping);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

std::size_t MappedFile::resident_bytes() const {
  if (data_ == nullptr) return 0;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((size_ - 1) / page + 1);
#if defined(__APPLE__)
  auto* out = reinterpret_cast<char*>(pages.data());
#else
  auto* out = pages.data();
#endif
  if (::mincore(const_cast<std::byte*>(data_), size_, out) != 0) fail(path_, errno);
  return page * static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(),
                                                       [](unsigned char p) { return p & 1; }));
}

}  // namespace convergio::io
