#pragma once

#include <array>

#include "io/json.h"

namespace convergio::arch {

constexpr int kFactorDigits = 6;  ///< so that products of factors stay far inside of float32

/// Factors of what enters and leaves the parts of a layer (Falcon H1), as config.json has them.
struct Multipliers {
  float attention_in = 1.0F;   ///< of what attention is given
  float key = 1.0F;            ///< of its keys
  float attention_out = 1.0F;  ///< of what it makes
  float recurrence_in = 1.0F;
  float recurrence_out = 1.0F;
  std::array<float, 5> scan{1.0F, 1.0F, 1.0F, 1.0F, 1.0F};  ///< of gate, x, b, c and dt
  float gate = 1.0F;    ///< of the feed-forward, before its activation
  float down = 1.0F;    ///< of what the feed-forward makes
  bool folded = false;  ///< those that a converted checkpoint has in its matrices are not here

  bool are_there() const;
  /// What q · k is multiplied with, of queries and keys that are projected without factors.
  float of_scores() const { return folded ? key : attention_in * attention_in * key; }
  /// What the result of attention is multiplied with, of values that are projected without.
  float of_attention() const { return attention_in * attention_out; }

  /// What is left where a checkpoint has been converted by mlx-lm, whose matrices are multiplied
  /// with all but the factor of keys, and but the factor of what values are made of.
  Multipliers of_converted() const;
};

Multipliers read_multipliers(const io::Json& json);

}  // namespace convergio::arch
