#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace convergio::engine {

/// How the next token is chosen. Filters apply in the order of this struct, as transformers does:
/// penalties, bias, temperature, top-k, top-p, min-p.
struct SamplingParams {
  float repetition_penalty = 1.0F;  ///< Keskar et al. 2019, over prompt and answer; 1: none
  float presence_penalty = 0.0F;    ///< OpenAI: off each token that the answer has
  float frequency_penalty = 0.0F;   ///< OpenAI: off each token, times its count in the answer
  std::vector<std::pair<int, float>> logit_bias;  ///< (token, added to its logit)
  float temperature = 1.0F;                       ///< 0: greedy
  int top_k = 0;                                  ///< keep the k likeliest; 0: all
  float top_p = 1.0F;                             ///< Holtzman et al. 2020; 1: all
  float min_p = 0.0F;                             ///< Nguyen et al. 2024; 0: all
  std::uint64_t seed = 0;
  std::optional<int> logprobs;  ///< report the chosen token's log-probability and so many others

  bool greedy() const { return temperature == 0.0F; }
  bool penalizes() const {
    return repetition_penalty != 1.0F || presence_penalty != 0.0F || frequency_penalty != 0.0F;
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

}  // namespace convergio::engine
