#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "formats/quantization.h"

// The kinds of numbers that tensors of GGUF files are made of, in one table.
namespace convergio::formats {

/// What becomes of a kind's numbers.
enum class Conversion : std::uint8_t {
  None,         ///< it is not converted
  Copied,       ///< floats, as they are
  Exact,        ///< repacked: each dequantizes to the same float as before
  Requantized,  ///< each is rounded to the nearest of 2^bits levels between the extremes of a group
};

/// A kind of blocks.
struct GgufKind {
  std::uint32_t id;  ///< in files
  std::string_view name;
  int items;  ///< numbers of a block
  int bytes;  ///< of a block
  Conversion conversion = Conversion::None;
  Format format = Format::Dense;  ///< what it becomes
  int bits = 0;
  int group_size = 0;
  bool decoded = true;  ///< false: requantized from floats that somebody else decodes
};

/// All kinds of version 3, including those that are not converted.
std::span<const GgufKind> gguf_kinds();

/// The kind with an id; null where there is none.
const GgufKind* gguf_kind(std::uint32_t id);

}  // namespace convergio::formats
