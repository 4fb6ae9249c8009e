#include "engine/sampling.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace convergio::engine {

namespace {

constexpr int kMostLogprobs = 100;

std::string written(int value) { return std::to_string(value); }

/// As short as tells it apart from its neighbours.
std::string written(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

template <typename Number>
void require(bool good, const char* name, Number value, const std::string& range) {
  if (!good) {
    throw Error(ErrorKind::InvalidRequest, std::string("[sampling] ") + name + " is " +
                                               written(value) + ", which must be " + range + ".");
  }
}

}  // namespace

void SamplingParams::validate(int vocab_size) const {
  require(temperature >= 0 && temperature <= 100, "temperature", temperature,
          "from 0 (greedy) to 100");
  require(top_k >= 0, "top_k", top_k, "0 (all tokens) or more");
  require(top_p > 0 && top_p <= 1, "top_p", top_p, "above 0 and at most 1");
  require(min_p >= 0 && min_p < 1, "min_p", min_p, "from 0 to below 1");
  // smaller ones could take a sound logit to infinity
  require(repetition_penalty >= 0.01 && repetition_penalty <= 100, "repetition_penalty",
          repetition_penalty, "from 0.01 to 100");
  require(std::abs(presence_penalty) <= 100, "presence_penalty", presence_penalty,
          "from -100 to 100");
  require(std::abs(frequency_penalty) <= 100, "frequency_penalty", frequency_penalty,
          "from -100 to 100");
  if (logprobs) {
    require(*logprobs >= 0 && *logprobs <= kMostLogprobs, "logprobs", *logprobs, "from 0 to 100");
  }
  for (const auto& [token, bias] : logit_bias) {
    require(token >= 0 && token < vocab_size, "a token of logit_bias", token,
            "from 0 to " + std::to_string(vocab_size - 1));
    require(std::abs(bias) <= 1000, "a value of logit_bias", bias, "from -1000 to 1000");
  }
}

Error logits_not_finite() {
  return Error(ErrorKind::InferenceFailed,
               "[sampling] the model's logits are not finite; its weights are damaged or its "
               "numbers overflow: verify the model's files.");
}

}  // namespace convergio::engine
