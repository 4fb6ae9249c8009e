#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/sampling.h"

namespace convergio::engine {

/// Chooses tokens of one request on the CPU. Never sorts the vocabulary: top sets are selected.
class Sampler {
 public:
  /// `prompt` counts for the repetition penalty.
  Sampler(SamplingParams params, std::span<const int> prompt);

  /// Chooses from the logits of the next position, which it may overwrite. Does not count the
  /// token as part of the answer: accept() does.
  Sample sample(std::span<float> logits);

  void accept(int token);

 private:
  struct Candidate {
    float logit;
    int token;
  };

  void edit(std::span<float> logits) const;
  int draw(std::span<const float> logits);
  int draw_from_all(std::span<const float> logits, float highest, float u);
  std::vector<Candidate> keep(std::span<const float> logits, float highest) const;
  static std::vector<Candidate> likeliest(std::span<const float> logits, std::size_t count);
  void report(std::span<const float> logits, Sample& sample) const;

  SamplingParams params_;
  std::unordered_map<int, int> answer_counts_;  ///< token → times in the answer
  std::unordered_map<int, bool> seen_;          ///< tokens of prompt and answer
  std::uint64_t step_ = 0;                      ///< tokens accepted
  std::vector<float> scratch_;
};

}  // namespace convergio::engine
