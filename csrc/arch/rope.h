#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convergio::arch {

enum class RopeKind : std::uint8_t { Plain, Linear, Dynamic, Llama3, Yarn, LongRope, Proportional };

/// Rotary position embedding as config.json describes it ("rope_theta" with "rope_scaling", or
/// "rope_parameters").
struct Rope {
  RopeKind kind = RopeKind::Plain;
  int dims = 0;     ///< rotated dimensions of each head
  int turning = 0;  ///< proportional: those of them that are; the others' periods are infinite
  double base = 10000.0;
  double factor = 1.0;
  double original_context = 0;                    ///< positions the model was first trained on
  double low_freq_factor = 1.0;                   ///< llama3
  double high_freq_factor = 4.0;                  ///< llama3
  double beta_fast = 32.0;                        ///< yarn
  double beta_slow = 1.0;                         ///< yarn
  bool truncate = true;                           ///< yarn
  double attention_factor = 1.0;                  ///< yarn, longrope
  double short_attention_factor = 1.0;            ///< longrope, of what fits the first context
  std::vector<double> short_factor, long_factor;  ///< longrope, one for each pair

  bool operator==(const Rope&) const = default;
};

/// The angle of pair i at position p is p / periods[i]; cos and sin are multiplied by `magnitude`.
struct RopeTable {
  std::vector<float> periods;
  float magnitude = 1.0F;

  bool operator==(const RopeTable&) const = default;
};

/// The table for a sequence of `length` positions: dynamic and longrope rotate slower once a
/// sequence is longer than what the model was first trained on. Sources: Su et al. 2021; linear:
/// Chen et al. 2023; yarn: Peng et al. 2023; longrope: Ding et al. 2024; llama3: the Llama 3.1
/// release.
RopeTable rope_table(const Rope& rope, int length);

/// Equal for two lengths whose tables are equal; 0 for those of a short sequence.
int table_key(const std::vector<Rope>& ropes, int length);

/// Whether keys rotated by the table of a shorter sequence must be computed anew once the table
/// changes, as Phi-3's own code does (longrope); else they stay as they are (dynamic: its table
/// changes with every token).
bool recomputes_keys(const std::vector<Rope>& ropes);

}  // namespace convergio::arch
