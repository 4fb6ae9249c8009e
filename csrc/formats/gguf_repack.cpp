#include "formats/gguf_repack.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "formats/gguf_blocks.h"
#include "formats/half.h"

namespace convergio::formats {

namespace {

/// `count` numbers of `bits` bits, the first one lowest, as MLX packs them into little-endian
/// words.
template <int kBits>
std::uint8_t* pack_as(const std::uint8_t* q, std::int64_t count, std::uint8_t* out) {
  if constexpr (kBits == 4) {  // the compiler makes vectors of this
    for (std::int64_t i = 0; i < count / 2; ++i) {
      out[i] = static_cast<std::uint8_t>(q[2 * i] | q[2 * i + 1] << 4);
    }
    return out + count / 2;
  }
  constexpr int kItems = kBits == 5 ? 8 : kBits == 6 ? 4 : 8 / kBits;
  constexpr int kBytes = kItems * kBits / 8;
  for (std::int64_t i = 0; i < count; i += kItems) {
    std::uint64_t word = 0;
    for (int k = 0; k < kItems; ++k) {
      word |= std::uint64_t{q[i + k]} << kBits * k;
    }
    for (int k = 0; k < kBytes; ++k) {
      *out++ = static_cast<std::uint8_t>(word >> 8 * k);
    }
  }
  return out;
}

std::uint8_t* pack(int bits, const std::uint8_t* q, std::int64_t count, std::uint8_t* out) {
  switch (bits) {
    case 2:
      return pack_as<2>(q, count, out);
    case 4:
      return pack_as<4>(q, count, out);
    case 5:
      return pack_as<5>(q, count, out);
    case 6:
      return pack_as<6>(q, count, out);
    default:
      return std::copy_n(q, count, out);
  }
}

std::uint8_t* store(float value, ScaleType type, std::uint8_t* out) {
  if (type == ScaleType::Half) {
    const std::uint16_t half = half_of_float(value);
    std::memcpy(out, &half, sizeof(half));
    return out + sizeof(half);
  }
  std::memcpy(out, &value, sizeof(value));
  return out + sizeof(value);
}

/// The largest float of a type that is no larger, or the smallest that is no smaller.
float rounded(float value, ScaleType type, bool up) {
  if (type == ScaleType::Single) {
    return value;
  }
  std::uint16_t half = half_of_float(value);
  const float nearest = float_of_half(half);
  if (up ? nearest < value : nearest > value) {
    if (nearest == 0) {
      half = up ? 0x0001 : 0x8001;
    } else {
      half = static_cast<std::uint16_t>((nearest > 0) == up ? half + 1 : half - 1);
    }
  }
  return float_of_half(half);
}

/// The least and the greatest of a group, eight side by side: the compiler makes vectors of them.
std::pair<float, float> extremes(const float* values, int count) {
  std::array<float, 8> least;
  std::array<float, 8> greatest;
  least.fill(values[0]);
  greatest.fill(values[0]);
  for (int i = 0; i < count; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) {
      const float value = values[static_cast<std::size_t>(i) + lane];
      least[lane] = value < least[lane] ? value : least[lane];
      greatest[lane] = value > greatest[lane] ? value : greatest[lane];
    }
  }
  return {*std::ranges::min_element(least), *std::ranges::max_element(greatest)};
}

/// One group: levels from the least number on, in steps that reach the greatest.
void requantize_group(const GgufKind& kind, const float* values, ScaleType type, Arrays& out) {
  const auto [least, greatest] = extremes(values, kind.group_size);
  const auto levels = static_cast<float>((1 << kind.bits) - 1);
  const float bias = rounded(least, type, false);
  const float scale = rounded((greatest - bias) / levels, type, true);
  const float per_step = scale > 0 ? 1 / scale : 0;
  std::array<std::uint8_t, 128> q;
  for (int i = 0; i < kind.group_size; ++i) {
    const float level = (values[i] - bias) * per_step + 0.5F;
    q[static_cast<std::size_t>(i)] =
        static_cast<std::uint8_t>(static_cast<int>(level < levels ? level : levels));
  }
  out.weight = pack(kind.bits, q.data(), kind.group_size, out.weight);
  out.scales = store(scale, type, out.scales);
  out.biases = store(bias, type, out.biases);
}

constexpr float kGreatestHalf = 65504;
constexpr float kEnough = 0x1p-12F;  ///< half precision's smallest step, 2^-24, is far below this

}  // namespace

std::optional<ScaleType> scale_type(const GgufKind& kind, const std::uint8_t* blocks,
                                    std::int64_t count) {
  const Bound bound = bound_of(kind);
  if (bound == nullptr) {
    return kind.format == Format::Affine ? ScaleType::Single : ScaleType::Half;
  }
  float greatest = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const float one = bound(blocks + i * kind.bytes);
    if (!std::isfinite(one)) {
      return std::nullopt;
    }
    greatest = std::max(greatest, one);
  }
  const bool fits = kind.conversion == Conversion::Exact
                        ? greatest <= kGreatestHalf
                        : greatest == 0 || (greatest >= kEnough && greatest <= kGreatestHalf / 4);
  return fits ? ScaleType::Half : ScaleType::Single;
}

std::int64_t weight_bytes(const GgufKind& kind, std::int64_t items) {
  return kind.format == Format::Dense ? items / kind.items * kind.bytes : items * kind.bits / 8;
}

std::int64_t scale_bytes(const GgufKind& kind, std::int64_t items, ScaleType type) {
  const QuantizedFormat* format = quantized_format(kind.format);
  if (format == nullptr) {
    return 0;
  }
  return items / kind.group_size * (!format->has_biases() ? 1 : type == ScaleType::Half ? 2 : 4);
}

bool repack(const GgufKind& kind, const std::uint8_t* blocks, std::int64_t count, ScaleType type,
            Arrays& out) {
  if (kind.conversion == Conversion::Requantized) {
    const Dequantize dequantize = dequantize_of(kind);
    const Bound bound = bound_of(kind);
    std::array<float, kMostItems> values;
    for (std::int64_t i = 0; i < count; ++i) {
      if (!std::isfinite(bound(blocks + i * kind.bytes))) {
        return false;
      }
      dequantize(blocks + i * kind.bytes, values.data());
      requantize(kind, values.data(), kind.items, type, out);
    }
    return true;
  }
  const Unpack unpack = unpack_of(kind);
  const bool has_floats = quantized_format(kind.format)->has_biases();
  Quantized block;
  for (std::int64_t i = 0; i < count; ++i) {
    if (!unpack(blocks + i * kind.bytes, block)) {
      return false;
    }
    out.weight = pack(kind.bits, block.q.data(), kind.items, out.weight);
    for (int g = 0; g < kind.items / kind.group_size; ++g) {
      const auto at = static_cast<std::size_t>(g);
      if (has_floats) {
        out.scales = store(block.scale[at], type, out.scales);
        out.biases = store(block.bias[at], type, out.biases);
      } else {
        *out.scales++ = block.scale_bytes[at];
      }
    }
  }
  return true;
}

void requantize(const GgufKind& kind, const float* values, std::int64_t count, ScaleType type,
                Arrays& out) {
  for (std::int64_t i = 0; i < count; i += kind.group_size) {
    requantize_group(kind, values + i, type, out);
  }
}

}  // namespace convergio::formats
