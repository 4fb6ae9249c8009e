// Reads little-endian numbers and strings one after the other, and never past the end.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace convergio::io {

// What a file lacks, or says that cannot be: a clause without a full stop.
struct GgufFault {
  std::string what;
};

// Its methods throw GgufFault; `what` is how that calls what is read.
class GgufCursor {
 public:
  explicit GgufCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint64_t at() const { return at_; }
  std::uint64_t left() const { return bytes_.size() - at_; }

  template <std::unsigned_integral T>
  T number(std::string_view what) {
    static_assert(std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::string_view string(std::string_view what) {
    const std::span<const std::byte> text = take(number<std::uint64_t>(what), what);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

  std::span<const std::byte> take(std::uint64_t count, std::string_view what) {
    if (count > left()) {
      throw GgufFault{std::string(what) + " takes " + std::to_string(count) + " bytes at byte " +
                      std::to_string(at_) + " but only " + std::to_string(left()) + " follow"};
    }
    const auto taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace convergio::io
