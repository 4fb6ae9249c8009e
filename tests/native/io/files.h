// Folders and safetensors files made for one test.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

// An empty folder, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "convergio-test-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(std::string_view name, std::string_view bytes) const {
    const std::filesystem::path path = path_ / name;
    std::filesystem::remove(path);  // ext4 flushes a file to disk that is truncated and rewritten
    std::ofstream out(path, std::ios::binary);
    out << bytes;
    if (!out.flush()) throw std::runtime_error("writing " + path.string() + " failed");
    return path;
  }

 private:
  std::filesystem::path path_;
};

// Root may read everything, so the test steps down for a moment.
class NoPrivileges {
 public:
  NoPrivileges() : was_root_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  ~NoPrivileges() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
  }

 private:
  bool was_root_;
};

// A safetensors file: the length of header, header, data.
inline std::string safetensors(std::string_view header, std::string_view data = "") {
  std::string file;
  for (int shift = 0; shift < 64; shift += 8) {
    file += static_cast<char>(static_cast<std::uint64_t>(header.size()) >> shift & 0xFF);
  }
  return file.append(header).append(data);
}

inline std::string safetensors(std::string_view header, std::size_t data_bytes) {
  return safetensors(header, std::string(data_bytes, 'x'));
}
