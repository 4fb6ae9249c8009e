// Keeps the process alive when somebody else cuts off a file that is mapped.
#pragma once

#include <cstddef>

namespace convergio::io {

// Guards one mapping. The kernel answers a read of bytes that a file no longer has with SIGBUS,
// which ends the process. Inside a guarded range a handler puts empty pages there instead, from the
// fault to the end of the range, and notes that the range is damaged: the reader continues with
// zeros and has to ask damaged() before its result is used.
//
// The handler is installed with the first guard and hands every other SIGBUS to the one that was
// there before. CONVERGIO_MLX_MAPPING_GUARD=0 in the environment leaves the signal alone. Of more
// than 4096 ranges at once the others are not guarded. A GPU that reads mapped memory is not
// covered: it raises no signal.
class MappingGuard {
 public:
  MappingGuard() = default;  // of nothing
  MappingGuard(const std::byte* data, std::size_t size);
  ~MappingGuard();
  MappingGuard(MappingGuard&& other) noexcept;
  MappingGuard& operator=(MappingGuard&& other) noexcept;
  MappingGuard(const MappingGuard&) = delete;
  MappingGuard& operator=(const MappingGuard&) = delete;

  bool damaged() const noexcept;  // for good: the pages don't come back

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::size_t slot_ = none;
};

}  // namespace convergio::io
