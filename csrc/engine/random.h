#pragma once

#include <array>
#include <cstdint>

namespace convergio::engine {

/// A uniform number in [0, 1) that depends on (seed, step) alone: Philox 4x32-10 (Salmon et al.
/// 2011). So a request draws the same numbers whatever else runs.
inline float uniform(std::uint64_t seed, std::uint64_t step) {
  std::array<std::uint32_t, 4> counter{static_cast<std::uint32_t>(step),
                                       static_cast<std::uint32_t>(step >> 32), 0, 0};
  std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed),
                                   static_cast<std::uint32_t>(seed >> 32)};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return static_cast<float>(counter[0] >> 8) * 0x1.0p-24F;
}

}  // namespace convergio::engine
