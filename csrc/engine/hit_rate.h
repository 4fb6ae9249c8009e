#pragma once

namespace convergio::engine {

/// How often guesses of one kind were right, of late.
struct HitRate {
  double right = 0;
  double all = 0;

  /// One more, of which so much of what was known is left: 0.95 speaks of about the last twenty.
  void note(bool is_right, double kept) {
    right = kept * right + (is_right ? 1.0 : 0.0);
    all = kept * all + 1.0;
  }

  /// Lets go of some of what is known.
  void fade(double kept) {
    right *= kept;
    all *= kept;
  }

  /// The chance of the next one, where so many guesses' weight was known as `before` already.
  double chance(double before = 0, double weight = 0) const {
    return (right + weight * before) / (all + weight);
  }
};

}  // namespace convergio::engine
