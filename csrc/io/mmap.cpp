#include "io/mmap.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "io/error.h"
#include "io/file.h"
#include "io/text.h"

namespace convergio::io {

namespace {

// Bytes below which opening a file takes longer than copying them.
constexpr std::size_t kSmall = std::size_t{64} << 10;
// A number, though: the page fault for it reads what lies around it, on some systems megabytes.
constexpr std::size_t kNumber = 8;

// Metal binds pages that are shared; other systems map files privately on every file system.
#if defined(__APPLE__)
constexpr int kMapping = MAP_SHARED;
#else
constexpr int kMapping = MAP_PRIVATE;
#endif

// The file at `path`, where that is still this one.
std::unique_ptr<const File> reopened(const std::filesystem::path& path,
                                     const FileIdentity& identity) {
  try {
    auto file = std::make_unique<const File>(path);
    if (file->identity() == identity) return file;
  } catch (const Error&) {  // its name is gone, its bytes are not
  }
  return nullptr;
}

}  // namespace

std::size_t page_size() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  const File file(path);  // closed at the end: a mapping outlives its descriptor
  identity_ = file.identity();
  size_ = file.size();
  if (size_ == 0) return;  // mmap refuses length 0
  void* mapping = ::mmap(nullptr, size_, PROT_READ, kMapping, file.descriptor(), 0);
  if (mapping == MAP_FAILED) file.fail(errno);
  data_ = static_cast<const std::byte*>(mapping);
  guard_ = MappingGuard(data_, size_);
}

MappedFile::~MappedFile() {
  guard_ = {};  // before another mapping may lie there
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      identity_(other.identity_),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      guard_(std::move(other.guard_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(identity_, other.identity_);
  guard_ = std::move(other.guard_);
  return *this;
}

std::size_t MappedFile::resident_bytes() const {
  if (data_ == nullptr) return 0;
  const std::size_t page = page_size();
  std::vector<unsigned char> pages((size_ - 1) / page + 1);
#if defined(__APPLE__)
  auto* out = reinterpret_cast<char*>(pages.data());
#else
  auto* out = pages.data();
#endif
  if (::mincore(const_cast<std::byte*>(data_), size_, out) != 0) {
    throw Error(ErrorKind::Internal,
                "[mmap] mincore failed (" + std::generic_category().message(errno) + ").");
  }
  return page * static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(),
                                                       [](unsigned char p) { return p & 1; }));
}

void MappedFile::read(std::size_t from, std::size_t bytes, std::byte* to) const {
  const bool copied = bytes < kSmall && bytes > kNumber;
  const auto file = copied ? nullptr : reopened(path_, identity_);
  if (!file) {
    std::memcpy(to, data_ + from, bytes);
    check_undamaged();
    return;
  }
  while (bytes > 0) {
    const ssize_t count = ::pread(file->descriptor(), to, bytes, static_cast<off_t>(from));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) file->fail(errno);
    if (count == 0) fault("was cut off");
    from += static_cast<std::size_t>(count);
    to += count;
    bytes -= static_cast<std::size_t>(count);
  }
}

void MappedFile::release(const std::byte* begin, std::size_t bytes) const noexcept {
  const std::size_t page = page_size();
  const auto from = static_cast<std::size_t>(begin - data_);
  const std::size_t first = (from + page - 1) / page * page;
  const std::size_t end = (from + bytes) / page * page;
  if (end > first) ::madvise(const_cast<std::byte*>(data_) + first, end - first, MADV_DONTNEED);
}

void MappedFile::check_undamaged() const {
  if (guard_.damaged()) fault("was cut off, or its disk failed,");
}

void MappedFile::check_size() const {
  check_undamaged();
  struct stat status{};
  if (::stat(path_.c_str(), &status) != 0) return;  // its name is gone, its bytes are not
  const FileIdentity found{.device = status.st_dev, .inode = status.st_ino};
  if (found == identity_ && std::cmp_less(status.st_size, size_)) {
    fault("was cut off to " + std::to_string(status.st_size) + " of its " + std::to_string(size_) +
          " bytes");
  }
}

void MappedFile::fault(const std::string& what) const {
  throw Error(ErrorKind::ModelCorrupt, "[mmap] " + printable(path_.string(), 4096) + " " + what +
                                           " while it was in use; repair the model and load it "
                                           "again.");
}

}  // namespace convergio::io
