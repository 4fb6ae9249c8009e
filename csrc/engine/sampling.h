#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "io/error.h"

namespace convergio::engine {

/// How the next token is chosen. The steps apply in the order of the members, as in transformers:
/// repetition penalty, presence and frequency penalties, bias, temperature, top-k, top-p over what
/// top-k leaves, min-p. Of equal logits the lower token id comes first.
struct SamplingParams {
  double repetition_penalty = 1.0;  ///< Keskar et al. 2019, over prompt and answer; 1: none
  double presence_penalty = 0.0;    ///< OpenAI: subtracted for each token that the answer has
  double frequency_penalty = 0.0;   ///< OpenAI: subtracted once per occurrence in the answer
  std::vector<std::pair<int, double>> logit_bias;  ///< (token, added to its logit)
  double temperature = 1.0;                        ///< 0: greedy
  int top_k = 0;                                   ///< keep the k likeliest; 0: all
  double top_p = 1.0;                              ///< Holtzman et al. 2020; 1: all
  double min_p = 0.0;                              ///< Nguyen et al. 2024; 0: all
  std::uint64_t seed = 0;
  std::optional<int> logprobs;  ///< report the chosen token's log-probability and this many others

  /// Also where the temperature is too small for a float32.
  bool greedy() const { return static_cast<float>(temperature) == 0.0F; }
  bool penalizes() const {
    return repetition_penalty != 1.0 || presence_penalty != 0.0 || frequency_penalty != 0.0;
  }
  bool edits_logits() const { return penalizes() || !logit_bias.empty(); }

  /// Throws Error (InvalidRequest) that names the first option out of its range.
  void validate(int vocab_size) const;
};

/// A token with the logarithm of its probability under the model's own distribution, before
/// penalties, bias, temperature and filters.
struct TokenLogprob {
  int token = 0;
  float logprob = 0.0F;
};

struct Sample {
  int token = 0;
  std::optional<float> logprob;
  std::vector<TokenLogprob> top;  ///< likeliest first
};

/// What is thrown where logits have a NaN, or an infinite one as the highest.
Error logits_not_finite();

}  // namespace convergio::engine
