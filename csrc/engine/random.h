#pragma once

#include <array>
#include <cstdint>

namespace convergio::engine {

/// Philox 4x32-10 (Salmon et al. 2011): four random words that depend on counter and key alone.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

/// A uniform number in [0, 1) that depends on (seed, step) alone. So a request draws the same
/// numbers whatever else runs.
inline float uniform(std::uint64_t seed, std::uint64_t step) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto word = philox({low(step), low(step >> 32), 0, 0}, {low(seed), low(seed >> 32)})[0];
  return static_cast<float>(word >> 8) * 0x1.0p-24F;
}

}  // namespace convergio::engine
