#include "engine/sampling.h"

#include <cmath>
#include <sstream>
#include <string>

#include "io/error.h"

namespace convergio::engine {

namespace {

constexpr int kMostLogprobs = 100;

template <typename Number>
void require(bool good, const char* name, Number value, const char* range) {
  if (!good) {
    std::ostringstream text;
    text << "[sampling] " << name << " is " << value << ", which must be " << range << ".";
    throw Error(ErrorKind::InvalidRequest, text.str());
  }
}

}  // namespace

void SamplingParams::validate(int vocab_size) const {
  require(temperature >= 0.0F && temperature <= 100.0F, "temperature", temperature,
          "from 0 (greedy) to 100");
  require(top_k >= 0, "top_k", top_k, "0 (all tokens) or more");
  require(top_p > 0.0F && top_p <= 1.0F, "top_p", top_p, "above 0 and at most 1");
  require(min_p >= 0.0F && min_p < 1.0F, "min_p", min_p, "from 0 to below 1");
  require(repetition_penalty > 0.0F && repetition_penalty <= 100.0F, "repetition_penalty",
          repetition_penalty, "above 0 and at most 100");
  require(std::abs(presence_penalty) <= 100.0F, "presence_penalty", presence_penalty,
          "from -100 to 100");
  require(std::abs(frequency_penalty) <= 100.0F, "frequency_penalty", frequency_penalty,
          "from -100 to 100");
  if (logprobs) {
    require(*logprobs >= 0 && *logprobs <= kMostLogprobs, "logprobs", *logprobs, "from 0 to 100");
  }
  for (const auto& [token, bias] : logit_bias) {
    require(token >= 0 && token < vocab_size, "a token of logit_bias", token,
            ("from 0 to " + std::to_string(vocab_size - 1)).c_str());
    require(std::abs(bias) <= 1000.0F, "a value of logit_bias", bias, "from -1000 to 1000");
  }
}

}  // namespace convergio::engine
