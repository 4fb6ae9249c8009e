#include "engine/constraint.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "check.h"
#include "engine/sampler.h"

using namespace convergio::engine;

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
using Logits = std::vector<float>;

bool allows(const TokenMask& mask, std::size_t token) {
  return token / 32 < mask.size() && (mask[token / 32] >> token % 32 & 1U) != 0;
}

TEST(what_is_not_allowed_becomes_impossible_and_the_rest_stays) {
  for (const std::size_t size : {1, 31, 32, 33, 64, 100}) {
    for (const TokenMask& mask : {TokenMask{}, TokenMask{0}, TokenMask{~0U},
                                  TokenMask{0x80000001U, ~0U, 5U}, TokenMask{0, 0x10U, ~0U, ~0U}}) {
      Logits logits(size);
      for (std::size_t i = 0; i < size; ++i) logits[i] = static_cast<float>(i) - 10;
      const Logits before = logits;
      apply_mask(mask, logits);
      for (std::size_t i = 0; i < size; ++i) {
        CHECK_EQ(logits[i], allows(mask, i) ? before[i] : kMinusInfinity);
      }
    }
  }
}

TEST(only_one_token) {
  for (const int token : {0, 1, 31, 32, 33, 1000}) {
    const TokenMask mask = only(token);
    for (std::size_t i = 0; i < 1100; ++i) CHECK_EQ(allows(mask, i), std::cmp_equal(i, token));
  }
}

TEST(what_has_no_place_in_the_vocabulary_is_refused) {
  check_next(TokenMask{0, 1}, 33);
  check_next(TokenMask{1}, 33);
  check_next(TokenMask{1, 0, 0, 0}, 33);
  check_next(TokenMask{0, 0x80000000U}, 64);
  check_next(Constraint::Stop{}, 33);
  check_next(Constraint::Forced{{0, 32}}, 33);
  const char* nothing =
      "[constraint] allows no token; loosen it, or have it return None where the answer may end.";
  CHECK_THROWS(check_next(TokenMask{}, 33), Constraint, nothing);
  CHECK_THROWS(check_next(TokenMask{0, 0xFFFFFFFEU}, 33), Constraint, nothing);
  CHECK_THROWS(check_next(TokenMask{1, 1, 1}, 64), Constraint,
               "[constraint] gave a mask of 12 bytes, but the model's 64 tokens take 8 at most; "
               "make it with this model's tokenizer.");
  CHECK_THROWS(check_next(Constraint::Forced{{0, 33}}, 33), Constraint,
               "[constraint] forces token 33, which must be from 0 to 32.");
  CHECK_THROWS(check_next(Constraint::Forced{}, 33), Constraint,
               "[constraint] forces a list of no tokens; return a mask, or None to end the "
               "answer.");
}

TEST(the_sampler_reports_the_models_own_probabilities) {
  SamplingParams params;
  params.temperature = 0;
  params.logprobs = 2;
  Sampler sampler(params, {});
  Logits logits{3, 1, 2, 0};
  const TokenMask allowed{0b1010U};
  const Sample sample = sampler.sample(logits, &allowed);
  CHECK_EQ(sample.token, 1);
  const float norm = std::log(std::exp(3.0F) + std::exp(1.0F) + std::exp(2.0F) + 1.0F);
  CHECK(std::abs(*sample.logprob - (1 - norm)) < 1e-6F);
  CHECK_EQ(sample.top[0].token, 0);
  CHECK_EQ(sample.top[1].token, 2);
}

}  // namespace
