#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace convergio::engine {

/// One bit a token: token t is allowed where bit t % 32 of word t / 32 is set. Tokens beyond the
/// last word are not. Words beyond the vocabulary are zero (llguidance gives one where 32 divides
/// it).
using TokenMask = std::vector<std::uint32_t>;

/// What an answer may be, token by token. Serves one answer, on the worker's thread.
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

  /// What may follow, given the tokens of the answer since the last call: none at the first, then
  /// one, or those it forced. May throw Error.
  virtual Next next(std::span<const int> accepted) = 0;
};

/// Throws Error (Constraint) where nothing is allowed, or what is has no place in a vocabulary of
/// `vocab_size` tokens.
void check_next(const Constraint::Next& next, int vocab_size);

/// The mask that allows one token alone.
TokenMask only(int token);

/// Makes what is not allowed impossible: -inf.
void apply_mask(const TokenMask& allowed, std::span<float> logits);

}  // namespace convergio::engine
