#include "engine/grammar_constraint.h"

#include <algorithm>
#include <string>
#include <utility>

namespace convergio::engine {

namespace {

constexpr std::size_t kBits = 32;  ///< of a word

void check(const Matcher& matcher) {
  if (const auto error = matcher.error()) {
    throw Error(ErrorKind::Constraint,
                "[constraint] the answer's grammar cannot be followed any "
                "further (" +
                    sentence_of(*error) + "); make the schema, pattern or grammar simpler.");
  }
}

}  // namespace

/// A copy of the matcher. Where that fails, nothing follows.
class GrammarConstraint::Ahead : public Lookahead {
 public:
  Ahead(const GrammarConstraint& whole, const Matcher& place) : whole_(whole), place_(place) {}

  std::vector<int> forced() override {
    if (is_over()) {
      return {};
    }
    const auto forced = place_.forced();
    return {forced.begin(), forced.end()};
  }

  std::optional<TokenMask> allowed() override {
    if (is_over()) {
      return std::nullopt;
    }
    TokenMask mask = whole_.mask(place_);
    const bool some = std::ranges::any_of(mask, [](auto word) { return word != 0; });
    return some && !place_.error() ? std::optional(std::move(mask)) : std::nullopt;
  }

  void take(std::span<const int> tokens) override {
    place_.consume(std::vector<std::uint32_t>(tokens.begin(), tokens.end()));
  }

 private:
  bool is_over() const { return place_.error() || place_.is_stopped(); }

  const GrammarConstraint& whole_;
  Matcher place_;
};

GrammarConstraint::GrammarConstraint(std::shared_ptr<Grammar> grammar, int vocab_size,
                                     std::vector<int> stop_tokens)
    : grammar_(std::move(grammar)),
      vocab_size_(static_cast<std::size_t>(vocab_size)),
      stop_tokens_(std::move(stop_tokens)) {}

void GrammarConstraint::ask(std::span<const int> accepted) {
  const auto fresh = accepted.subspan(std::exchange(consumed_, 0));
  accepted_.assign(fresh.begin(), fresh.end());
}

std::vector<int> GrammarConstraint::forced_after(std::span<const int> accepted) {
  if (!ready()) {
    return {};
  }
  const auto fresh = accepted.subspan(consumed_);
  matcher().consume(std::vector<std::uint32_t>(fresh.begin(), fresh.end()));
  consumed_ = accepted.size();
  if (matcher_->error() || matcher_->is_stopped()) {
    return {};  // next() says so
  }
  const auto forced = matcher_->forced();
  return {forced.begin(), forced.end()};
}

std::size_t GrammarConstraint::allowed_after(std::span<const int> accepted,
                                             std::span<const int> draft) {
  if (!ready()) {
    return draft.size();
  }
  const auto fresh = accepted.subspan(consumed_);
  std::vector<std::uint32_t> ids(fresh.begin(), fresh.end());
  const auto known = static_cast<int>(std::min(matcher().table().size(), vocab_size_));
  for (const int token : draft) {
    if (token >= known) {
      break;
    }
    ids.push_back(static_cast<std::uint32_t>(token));
  }
  return std::max(matcher_->allowed(ids), fresh.size()) - fresh.size();
}

std::unique_ptr<Lookahead> GrammarConstraint::look_ahead(std::span<const int> accepted) {
  if (!ready()) {
    return nullptr;
  }
  auto ahead = std::make_unique<Ahead>(*this, matcher());
  ahead->take(accepted.subspan(consumed_));
  return ahead;
}

Matcher& GrammarConstraint::matcher() {
  if (!matcher_) {
    matcher_.emplace(grammar_->matcher());
  }
  return *matcher_;
}

Constraint::Next GrammarConstraint::next() {
  Matcher& place = matcher();
  if (!accepted_.empty()) {
    place.consume(accepted_);
    accepted_.clear();
  }
  check(place);
  if (place.is_stopped()) {
    return Stop{};
  }
  if (const auto forced = place.forced(); !forced.empty()) {
    return Forced{{forced.begin(), forced.end()}};
  }
  TokenMask allowed = mask(place);
  check(place);
  if (place.is_accepting() && std::ranges::all_of(allowed, [](auto word) { return word == 0; })) {
    return Stop{};  // complete, and no token ends the answer
  }
  return allowed;
}

TokenMask GrammarConstraint::mask(const Matcher& place) const {
  const auto words = [](std::size_t bits) { return (bits + kBits - 1) / kBits; };
  TokenMask allowed = place.mask();
  // beyond the tokenizer's own tokens stands llguidance's end of a text, which no answer has
  const std::size_t known = std::min(place.table().size(), vocab_size_);
  allowed.resize(std::max(words(known), std::size_t{1}));
  if (known % kBits != 0) {
    allowed.back() &= (1U << known % kBits) - 1;
  }
  allowed.resize(words(vocab_size_));
  const bool may_end = place.is_accepting();
  for (const int token : stop_tokens_) {
    const auto index = static_cast<std::size_t>(token);
    if (token < 0 || index >= vocab_size_) {
      continue;
    }
    const std::uint32_t bit = 1U << index % kBits;
    if (may_end) {
      allowed[index / kBits] |= bit;
    } else {
      allowed[index / kBits] &= ~bit;
    }
  }
  return allowed;
}

bool GrammarConstraint::allows(std::span<const int> tokens) {
  const std::vector<std::uint32_t> ids(tokens.begin(), tokens.end());
  return matcher().allowed(ids) == ids.size();
}

std::string sentence_of(const std::string& message) {
  const std::size_t end = message.find('\n');
  std::string first = message.substr(0, end);
  if (first.ends_with(':')) {  // the error in a regular expression stands in the last line
    if (const std::size_t at = message.find("\nerror: "); at != std::string::npos) {
      const std::size_t from = at + 8;
      first += ' ' + message.substr(from, message.find('\n', from) - from);
    }
  }
  if (first.starts_with("at ")) {  // "at 3(7): …", a place in our grammar
    if (const std::size_t colon = first.find("): "); colon != std::string::npos) {
      first.erase(0, colon + 3);
    }
  }
  constexpr std::string_view kPrefix = "failed to compile JSON schema: ";
  if (const std::size_t at = first.find(kPrefix); at != std::string::npos) {
    first.erase(at, kPrefix.size());
  }
  return first;
}

}  // namespace convergio::engine
