#pragma once

#include <cstdint>
#include <string_view>

namespace convergio::engine {

/// Why no more of a prompt was served from the prefix cache.
enum class Miss : std::uint8_t {
  None,        ///< all of it was, or all that is cached of it
  Off,         ///< the cache is switched off
  Empty,       ///< it holds nothing yet
  Diverged,    ///< every cached sequence differs from the prompt here or before
  Evicted,     ///< one that continues from here was evicted
  Trimmed,     ///< sliding-window layers have dropped the rows before here
  NoSnapshot,  ///< one that continues from here has no snapshot of its states before here
  Rotary,      ///< one that continues from here has other rotary tables
};

constexpr std::string_view miss_name(Miss miss) {
  switch (miss) {
    case Miss::None:
      return "";
    case Miss::Off:
      return "off";
    case Miss::Empty:
      return "empty";
    case Miss::Diverged:
      return "diverged";
    case Miss::Evicted:
      return "evicted";
    case Miss::Trimmed:
      return "trimmed";
    case Miss::NoSnapshot:
      return "no snapshot";
    case Miss::Rotary:
      return "other rotary table";
  }
  return "";
}

}  // namespace convergio::engine
