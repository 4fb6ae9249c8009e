#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/constraint.h"
#include "engine/sampling.h"

namespace convergio::engine {

/// Chooses tokens of one request on the CPU. Never sorts the vocabulary: top sets are selected.
class Sampler {
 public:
  /// `prompt` counts for the repetition penalty.
  Sampler(SamplingParams params, std::span<const int> prompt);

  /// Chooses from the logits of the next position, which it may overwrite, among those that
  /// `allowed` leaves. Does not count the token as part of the answer: accept() does. Throws Error
  /// (InferenceFailed) where logits are not finite; -inf is a token that cannot be.
  Sample sample(std::span<float> logits, const TokenMask* allowed = nullptr);

  /// What another model's logits say of a later token.
  struct Guess {
    int token;
    float margin;  ///< its logit, less the highest of the others: below 0 where it is not likeliest
  };

  /// The token that sample() would choose from these logits, which it overwrites, once those of
  /// `ahead` were accepted: with the penalties and the random number of that place.
  Guess guess(std::span<float> logits, std::span<const int> ahead, const TokenMask* allowed);

  void accept(int token);

 private:
  /// A token with its logit, or its weight: its probability relative to the likeliest one's.
  struct Candidate {
    float value;
    int token;
  };
  using Candidates = std::vector<Candidate>;

  static bool likelier(const Candidate& a, const Candidate& b);
  static Candidates likeliest(std::span<const float> logits, std::size_t count);
  static std::size_t nucleus(Candidates& candidates, double target);

  void edit(std::span<float> logits) const;
  void edit_ahead(std::span<float> logits, std::span<const int> ahead) const;
  float weight(float logit, float highest) const;
  double weigh(std::span<const float> logits, float highest);
  Candidates keep(std::span<const float> logits, float highest);
  int draw(std::span<const float> logits, int best, std::uint64_t step);
  int draw_from_all(std::span<const float> logits, int best, float u);
  void report(std::span<const float> logits, Sample& sample) const;

  SamplingParams params_;
  std::unordered_map<int, int> answer_counts_;  ///< token → times in the answer
  std::unordered_set<int> seen_;                ///< tokens of prompt and answer
  std::uint64_t step_ = 0;                      ///< tokens accepted
  std::vector<float> weights_;                  ///< of the whole vocabulary
};

}  // namespace convergio::engine
