#pragma once

#include <cstdint>
#include <string_view>

namespace convergio::engine {

/// Why more of a prompt was not served from what is kept.
enum class Miss : std::uint8_t {
  None,      ///< all of it was, or all of what was kept
  Off,       ///< nothing is ever kept
  Nothing,   ///< nothing is kept yet
  Diverged,  ///< every kept sequence differs from the prompt here or before
  Evicted,   ///< one that goes on from here had to make room
  Trimmed,   ///< sliding layers have dropped the rows before here
  Rotary,    ///< one that goes on from here was made with other rotary tables
};

constexpr std::string_view miss_name(Miss miss) {
  switch (miss) {
    case Miss::None:
      return "";
    case Miss::Off:
      return "off";
    case Miss::Nothing:
      return "nothing kept";
    case Miss::Diverged:
      return "diverged";
    case Miss::Evicted:
      return "evicted";
    case Miss::Trimmed:
      return "trimmed";
    case Miss::Rotary:
      return "other rotary table";
  }
  return "";
}

}  // namespace convergio::engine
