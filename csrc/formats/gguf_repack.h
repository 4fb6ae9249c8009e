#pragma once

#include <cstdint>
#include <optional>

#include "formats/gguf_kinds.h"

// Blocks of GGUF files to rows of the engine's formats: pure functions over memory.
namespace convergio::formats {

/// What the float scales of a matrix are stored as.
enum class ScaleType : std::uint8_t { Half, Single };

/// Where the arrays of a matrix continue; scales and biases are null where the format has none.
struct Arrays {
  std::uint8_t* weight;
  std::uint8_t* scales;
  std::uint8_t* biases;
};

/// The type that scales and biases of `count` blocks need: of an exact kind half precision where it
/// holds each as it is; of a requantized one where its steps are small beside the largest number.
/// nullopt where one of them is no finite number. Formats with bytes for scales need none: Half.
std::optional<ScaleType> scale_type(const GgufKind& kind, const std::uint8_t* blocks,
                                    std::int64_t count);

/// Bytes of the arrays of `items` numbers.
std::int64_t weight_bytes(const GgufKind& kind, std::int64_t items);
std::int64_t scale_bytes(const GgufKind& kind, std::int64_t items, ScaleType type);

/// Repacks `count` blocks of a kind that is exact, or requantized and decoded here, and moves `out`
/// past what was written. False where a scale is no finite number.
bool repack(const GgufKind& kind, const std::uint8_t* blocks, std::int64_t count, ScaleType type,
            Arrays& out);

/// Requantizes `count` finite floats, whole groups of `kind`.
void requantize(const GgufKind& kind, const float* values, std::int64_t count, ScaleType type,
                Arrays& out);

}  // namespace convergio::formats
