#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "io/error.h"

namespace convergio::engine {

/// One bit per token: token t is allowed where bit t % 32 of word t / 32 is set. Tokens beyond the
/// last word are not. Words beyond the vocabulary are zero (llguidance gives one where 32 divides
/// it).
using TokenMask = std::vector<std::uint32_t>;

/// A place of a constraint that goes ahead of the answer, with tokens that may not come.
class Lookahead {
 public:
  Lookahead() = default;
  virtual ~Lookahead() = default;
  Lookahead(const Lookahead&) = delete;
  Lookahead& operator=(const Lookahead&) = delete;

  /// The tokens that must follow, where there is no choice.
  virtual std::vector<int> forced() = 0;

  /// What may follow; nullopt where nothing does.
  virtual std::optional<TokenMask> allowed() = 0;

  /// These follow.
  virtual void take(std::span<const int> tokens) = 0;
};

/// What an answer may be, token by token. Serves one answer: asked for what may follow, it is ready
/// some time later, and gives it once.
class Constraint {
 public:
  struct Stop {};  ///< the answer is complete and ends here
  struct Forced {
    std::vector<int> tokens;  ///< come next, whatever the model thinks
  };
  using Next = std::variant<TokenMask, Forced, Stop>;

  Constraint() = default;
  virtual ~Constraint() = default;
  Constraint(const Constraint&) = delete;
  Constraint& operator=(const Constraint&) = delete;

  /// Asks what may follow, given the tokens of the answer since the last time: none at first, then
  /// one, those it forced, or one and those it forced behind it.
  virtual void ask(std::span<const int> accepted) = 0;

  /// Whether next() will not wait. From any thread; costs next to nothing.
  virtual bool ready() const = 0;

  /// What may follow. May throw Error.
  virtual Next next() = 0;

  /// Where nothing was asked since next(): the tokens that must follow those
  /// accepted since, where that can be said at once; none where not. The next ask() tells of them
  /// again, and of what was accepted behind them.
  virtual std::vector<int> forced_after(std::span<const int> /*accepted*/) { return {}; }

  /// The same of how many tokens of a draft, from the first, it may allow behind them.
  virtual std::size_t allowed_after(std::span<const int> /*accepted*/, std::span<const int> draft) {
    return draft.size();
  }

  /// The same place, behind those, to go ahead from; nullptr where it is not to be copied.
  virtual std::unique_ptr<Lookahead> look_ahead(std::span<const int> /*accepted*/) {
    return nullptr;
  }

  /// `wake` is run, on any thread, when it becomes ready from now on.
  virtual void when_ready(std::function<void()> wake) = 0;

  /// The answer has ended: nothing more is asked.
  virtual void close() {}
};

/// Throws Error (Constraint) where nothing is allowed, or what is has no place in a vocabulary of
/// `vocab_size` tokens.
void check_next(const Constraint::Next& next, int vocab_size);

/// Bytes of the longest mask that is read: some libraries give more words than a vocabulary takes.
std::size_t most_mask_bytes(int vocab_size);

/// What is thrown for a mask that allows tokens beyond the vocabulary, or is longer than that.
Error mask_too_long(std::size_t bytes, int vocab_size);

/// The mask that allows one token alone.
TokenMask only(int token);

/// Makes what is not allowed impossible: -inf.
void apply_mask(const TokenMask& allowed, std::span<float> logits);

}  // namespace convergio::engine
