#pragma once

#include <array>
#include <cstdint>

#include "formats/gguf_kinds.h"

// Blocks of GGUF files, taken apart.
namespace convergio::formats {

inline constexpr int kMostItems = 256;  ///< of a block

/// A block of an exact kind: item i is q[i] · scale + bias of its group, or the float that the four
/// bits q[i] are times that which the byte `scale_bytes` is.
struct Quantized {
  std::array<std::uint8_t, kMostItems> q;
  std::array<float, kMostItems / 32> scale;
  std::array<float, kMostItems / 32> bias;
  std::array<std::uint8_t, 4> scale_bytes;
};

/// Takes a block apart, whose kind it is made for; false where a scale is no finite number.
using Unpack = bool (*)(const std::uint8_t* block, Quantized& out);

/// The floats of a block.
using Dequantize = void (*)(const std::uint8_t* block, float* out);

/// What no scale or bias of a block is above: of kinds whose scales half precision holds up to its
/// largest number, or which are requantized.
using Bound = float (*)(const std::uint8_t* block);

/// What takes apart the blocks of an exact kind; null of others.
Unpack unpack_of(const GgufKind& kind);

/// What dequantizes the blocks of a kind that is requantized; null where others decode it.
Dequantize dequantize_of(const GgufKind& kind);

/// Null where a kind's scales are products that need single precision, or bytes.
Bound bound_of(const GgufKind& kind);

}  // namespace convergio::formats
