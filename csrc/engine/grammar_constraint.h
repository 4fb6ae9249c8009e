#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/constraint.h"
#include "engine/grammar.h"

namespace convergio::engine {

/// Lets through the tokens that continue within a grammar, and lets the answer end where the
/// grammar does. Its masks are computed where next() is called.
class GrammarConstraint : public Constraint {
 public:
  /// `stop_tokens` end the answer: they are let through where it may end, and nowhere else.
  GrammarConstraint(std::shared_ptr<Grammar> grammar, int vocab_size, std::vector<int> stop_tokens);

  void ask(std::span<const int> accepted) override;
  bool ready() const override { return grammar_->done(); }
  Next next() override;
  std::vector<int> forced_after(std::span<const int> accepted) override;
  std::size_t allowed_after(std::span<const int> accepted, std::span<const int> draft) override;
  std::unique_ptr<Lookahead> look_ahead(std::span<const int> accepted) override;
  void when_ready(std::function<void()> wake) override { grammar_->when_done(std::move(wake)); }

  /// The grammar, which may still be compiled.
  const std::shared_ptr<Grammar>& grammar() const { return grammar_; }

  /// Whether these may follow, all of them.
  bool allows(std::span<const int> tokens);

 private:
  class Ahead;

  Matcher& matcher();
  TokenMask mask(const Matcher& place) const;

  const std::shared_ptr<Grammar> grammar_;
  const std::size_t vocab_size_;
  const std::vector<int> stop_tokens_;
  std::vector<std::uint32_t> accepted_;  ///< and not yet consumed
  std::size_t consumed_ = 0;             ///< of those that the next ask() tells of
  std::optional<Matcher> matcher_;
};

/// llguidance's own sentence, without the parts of our grammar and of its state that follow it.
std::string sentence_of(const std::string& message);

}  // namespace convergio::engine
