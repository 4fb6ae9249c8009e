#include "engine/ngram_drafter.h"

#include <algorithm>
#include <bit>

namespace convergio::engine {

namespace {

constexpr int kSure = 2;        ///< a match of so many tokens is followed while it is right
constexpr int kMostMatch = 16;  ///< tokens that are compared to see how long a match is
/// What a rate keeps at each new token: it speaks of about the last twenty.
constexpr double kKept = 0.95;
/// Below it a row is not run whatever it costs, and so not drafted.
constexpr double kLeastChance = 0.02;

/// How many tokens before `place` are the last ones of `tokens`.
int match_length(std::span<const int> tokens, int place) {
  const auto at = static_cast<std::size_t>(place);
  std::size_t length = 0;
  while (length < std::min(at, std::size_t{kMostMatch}) &&
         tokens[at - 1 - length] == tokens[tokens.size() - 1 - length]) {
    ++length;
  }
  return static_cast<int>(length);
}

}  // namespace

/// Rates begin as those of a text that neither copies nor is random, and weigh as two tokens.
NgramDrafter::NgramDrafter(std::span<const int> prompt)
    : followed_(prompt.size()),
      rates_{{{0.8, 2}, {0.8, 2}, {0.6, 2}, {1.2, 2}, {1.6, 2}, {1.8, 2}}} {
  index_.grow(prompt);
  look_up(prompt);
}

std::size_t NgramDrafter::rate_of(int length) {
  return std::min<std::size_t>(std::bit_width(static_cast<unsigned>(length)), 5);
}

double NgramDrafter::chance(int length) const { return rates_[rate_of(length)].chance(); }

void NgramDrafter::note(int length, bool right) { rates_[rate_of(length)].note(right, kKept); }

void NgramDrafter::follow(std::span<const int> tokens) {
  while (followed_ < tokens.size()) {
    take(tokens.first(++followed_));
  }
}

/// The last of `tokens` has come. After one that is not as before, what follows may be: a word was
/// put in another's place.
void NgramDrafter::take(std::span<const int> tokens) {
  if (match_) {
    const bool right = tokens[static_cast<std::size_t>(match_->place)] == tokens.back();
    note(match_->length, right);
    match_ = Match{match_->place + 1, right ? match_->length + 1 : 0};
  }
  index_.grow(tokens);
  if (!match_ || match_->length < kSure) {
    look_up(tokens);
  }
}

/// Takes a place where the last tokens stood before, unless another is likelier to be right.
void NgramDrafter::look_up(std::span<const int> tokens) {
  const std::optional<int> place = index_.find(tokens);
  if (!place) {
    return;
  }
  const Match found{*place, match_length(tokens, *place)};
  if (!match_ || chance(found.length) > chance(match_->length)) {
    match_ = found;
  }
}

Draft NgramDrafter::propose(std::span<const int> tokens, int most) const {
  Draft draft;
  double all = 1;
  for (int i = 0; match_ && i < most; ++i) {
    const double next = chance(match_->length + i);
    all *= next;
    if (all < kLeastChance) {
      break;
    }
    // a match may run on into what it drafts: a text that repeats itself
    const auto from = static_cast<std::size_t>(match_->place + i);
    draft.tokens.push_back(from < tokens.size() ? tokens[from]
                                                : draft.tokens[from - tokens.size()]);
    draft.chances.push_back(next);
  }
  return draft;
}

}  // namespace convergio::engine
