#include "engine/ngram_drafter.h"

#include <algorithm>
#include <vector>

#include "check.h"
#include "engine/ngram_index.h"

namespace {

using convergio::engine::Draft;
using convergio::engine::NgramDrafter;
using convergio::engine::NgramIndex;

std::vector<int> numbers(int from, int to) {
  std::vector<int> all;
  for (int i = from; i < to; ++i) {
    all.push_back(i);
  }
  return all;
}

std::vector<int> joined(std::vector<int> a, const std::vector<int>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST(an_index_finds_the_latest_place_of_the_longest_ngram) {
  NgramIndex index;
  // 3 4 stands twice, 2 3 4 once
  const std::vector<int> tokens{1, 2, 3, 4, 5, 9, 3, 4, 6, 7, 2, 3, 4};
  index.grow(tokens);
  CHECK_EQ(index.find(tokens).value_or(-1), 4);
  const std::vector<int> shorter{1, 2, 3, 4, 5, 9, 3, 4, 6, 7, 8, 3, 4};
  NgramIndex other;
  other.grow(shorter);
  CHECK_EQ(other.find(shorter).value_or(-1), 8);
}

TEST(an_index_finds_nothing_where_nothing_stood_before) {
  NgramIndex index;
  for (const auto& tokens : {std::vector<int>{}, {1}, {1, 1}, {1, 2, 3, 4, 5}}) {
    NgramIndex one;
    one.grow(tokens);
    CHECK(!one.find(tokens));
  }
}

TEST(an_index_that_grows_token_by_token_finds_what_one_made_at_once_does) {
  std::vector<int> tokens;
  NgramIndex growing;
  unsigned state = 1;
  for (int i = 0; i < 3000; ++i) {
    state = state * 1103515245U + 12345U;
    tokens.push_back(static_cast<int>(state >> 16U) % 12);
    growing.grow(tokens);
    if (i % 97 == 0) {
      NgramIndex whole;
      whole.grow(tokens);
      CHECK_EQ(growing.find(tokens).value_or(-1), whole.find(tokens).value_or(-1));
    }
  }
}

TEST(a_copy_is_drafted_and_its_chances_grow) {
  const std::vector<int> prompt = joined(numbers(100, 200), {1, 2});
  NgramDrafter drafter(prompt);
  std::vector<int> tokens = prompt;
  CHECK(drafter.propose(tokens, 8).tokens.empty());
  double before = 0;
  for (int token = 120; token < 150; ++token) {
    tokens.push_back(token);
    drafter.follow(tokens);
    const Draft draft = drafter.propose(tokens, 8);
    if (token < 121) {
      CHECK(draft.tokens.empty());
      continue;
    }
    const auto count = static_cast<int>(draft.tokens.size());
    CHECK(count >= (token < 125 ? 1 : 8));
    CHECK(draft.tokens == numbers(token + 1, token + 1 + count));
    CHECK(token > 125 ? draft.chances.back() >= before : true);
    before = draft.chances.back();
  }
  CHECK(before > 0.9);
}

TEST(after_a_token_in_the_place_of_another_the_copy_may_go_on) {
  const std::vector<int> prompt = numbers(100, 200);
  NgramDrafter drafter(prompt);
  std::vector<int> tokens = joined(prompt, numbers(110, 130));
  tokens.push_back(7);
  drafter.follow(tokens);
  const Draft draft = drafter.propose(tokens, 3);
  CHECK(draft.tokens == numbers(131, 134));
}

TEST(a_text_that_repeats_itself_is_drafted_beyond_its_end) {
  const std::vector<int> prompt{9, 1, 2, 3, 1, 2, 3, 1, 2};
  NgramDrafter drafter(prompt);
  const Draft draft = drafter.propose(prompt, 7);
  CHECK(draft.tokens == std::vector<int>({3, 1, 2, 3, 1, 2, 3}));
}

TEST(what_is_always_wrong_is_soon_given_little_chance) {
  // 1 2 is never followed by what followed it before
  std::vector<int> tokens{1, 2};
  NgramDrafter drafter(tokens);
  for (int i = 0; i < 100; ++i) {
    tokens = joined(tokens, {1000 + i, 1, 2});
    drafter.follow(tokens);
  }
  const Draft draft = drafter.propose(tokens, 4);
  CHECK(draft.chances.empty() || draft.chances.front() < 0.1);
}
