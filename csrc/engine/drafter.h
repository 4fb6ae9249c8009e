#pragma once

#include <span>

#include "engine/draft.h"

namespace convergio::engine {

/// Guesses the next tokens of one sequence. Nothing of an answer depends on it but the time.
class Drafter {
 public:
  Drafter() = default;
  virtual ~Drafter() = default;
  Drafter(const Drafter&) = delete;
  Drafter& operator=(const Drafter&) = delete;

  /// The sequence has become `tokens`, of which those of the last call are the first.
  virtual void follow(std::span<const int> tokens) = 0;

  /// At most `most` tokens that may follow `tokens`, those of the last follow().
  virtual Draft propose(std::span<const int> tokens, int most) const = 0;
};

}  // namespace convergio::engine
