#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

#include "io/error.h"
#include "io/text.h"

namespace convergio::io {
namespace {

std::string shown(const std::filesystem::path& path) { return printable(path.string(), 4096); }

}  // namespace

File::File(const std::filesystem::path& path) : path_(path) {
  // O_NONBLOCK: opening a pipe without a writer would wait for one.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail(errno);
  struct stat status{};
  const int code = ::fstat(descriptor_, &status) == 0 ? 0 : errno;
  const bool regular = code == 0 && S_ISREG(status.st_mode);
  const bool fits = std::cmp_less_equal(status.st_size, std::numeric_limits<std::size_t>::max());
  if (!regular || !fits) {
    ::close(descriptor_);  // a constructor that throws is never destroyed
    if (code != 0) fail(code);
    if (regular) fail(EFBIG);
    throw Error(ErrorKind::LoadFailed,
                "[file] " + shown(path) + " is not a regular file; give the path of a file.");
  }
  size_ = static_cast<std::size_t>(status.st_size);
  identity_ = {.device = status.st_dev, .inode = status.st_ino};
}

File::~File() { ::close(descriptor_); }

void File::fail(int code) const {
  const bool missing = code == ENOENT || code == ENOTDIR;
  std::string_view remedy = "check the disk and the limits of this process";
  if (missing) remedy = "give the path of an existing file";
  if (code == EACCES || code == EPERM) remedy = "make it readable for this user";
  throw Error(missing ? ErrorKind::ModelNotFound : ErrorKind::LoadFailed,
              "[file] " + shown(path_) + " can't be opened (" +
                  std::generic_category().message(code) + "); " + std::string(remedy) + ".");
}

std::string read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const File file(path);
  const auto refuse = [&](std::size_t size) {
    throw Error(ErrorKind::ModelCorrupt, "[file] " + shown(path) + " has " + std::to_string(size) +
                                             " bytes, which must be at most " +
                                             std::to_string(max_bytes) +
                                             "; download it again or correct it.");
  };
  if (file.size() > max_bytes) refuse(file.size());
  std::string text(file.size() + 1, '\0');  // one more, to see it grow
  std::size_t length = 0;
  while (true) {
    const ssize_t count = ::read(file.descriptor(), text.data() + length, text.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) file.fail(errno);
    if (count == 0) break;
    length += static_cast<std::size_t>(count);
    if (length > max_bytes) refuse(length);
    if (length == text.size()) text.resize(2 * length);
  }
  text.resize(length);
  return text;
}

}  // namespace convergio::io
