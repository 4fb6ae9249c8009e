#pragma once

#include <array>
#include <optional>
#include <span>

#include "engine/drafter.h"
#include "engine/hit_rate.h"
#include "engine/ngram_index.h"

namespace convergio::engine {

/// Drafts what followed where the last tokens of a sequence stood before, in the prompt or in the
/// answer (Saxena 2023, "Prompt Lookup Decoding"; Yang et al. 2023, "Inference with Reference").
/// Each token that comes is compared with the one that would have been drafted, whether or not it
/// was: so how often that is right is known without running a row for it.
class NgramDrafter : public Drafter {
 public:
  /// Takes in a prompt, of which nothing was to be drafted.
  explicit NgramDrafter(std::span<const int> prompt);

  void follow(std::span<const int> tokens) override;
  Draft propose(std::span<const int> tokens, int most) const override;

 private:
  /// A place in the sequence whose token may come next, and how many tokens before it were those
  /// that came last: 0 where the one before it was not.
  struct Match {
    int place;
    int length;
  };

  static std::size_t rate_of(int length);
  double chance(int length) const;
  void note(int length, bool right);
  void take(std::span<const int> tokens);
  void look_up(std::span<const int> tokens);

  NgramIndex index_;
  std::size_t followed_;  ///< tokens so far
  std::optional<Match> match_;
  std::array<HitRate, 6> rates_;  ///< by the bits of a match's length
};

}  // namespace convergio::engine
