#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convergio::arch {

enum class RopeKind : std::uint8_t { Plain, Linear, Dynamic, Llama3, Yarn, LongRope };

/// Rotary position embedding as config.json describes it ("rope_theta" with "rope_scaling", or
/// "rope_parameters").
struct Rope {
  RopeKind kind = RopeKind::Plain;
  int dims = 0;  ///< rotated dimensions of each head
  double base = 10000.0;
  double factor = 1.0;
  int original_context = 0;                       ///< positions the model was first trained on
  double low_freq_factor = 1.0;                   ///< llama3
  double high_freq_factor = 4.0;                  ///< llama3
  double beta_fast = 32.0;                        ///< yarn
  double beta_slow = 1.0;                         ///< yarn
  bool truncate = true;                           ///< yarn
  double attention_factor = 1.0;                  ///< yarn, longrope
  std::vector<double> short_factor, long_factor;  ///< longrope, one a rotated pair
};

/// The angle of pair i at position p is p / periods[i]; cos and sin are multiplied by `magnitude`.
struct RopeTable {
  std::vector<float> periods;
  float magnitude = 1.0F;

  bool operator==(const RopeTable&) const = default;
};

/// The table for a sequence that may grow to `length` positions: dynamic and longrope turn slower
/// once a sequence is longer than what the model was first trained on, and a sequence keeps one
/// table from its first token to its last.
/// Sources: Su et al. 2021; linear: Chen et al. 2023; yarn: Peng et al. 2023; longrope: Ding et al.
/// 2024; llama3: the Llama 3.1 release.
RopeTable rope_table(const Rope& rope, int length);

}  // namespace convergio::arch
