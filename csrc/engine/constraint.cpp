#include "engine/constraint.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>

#include "io/error.h"

namespace convergio::engine {

namespace {

constexpr std::size_t kBits = 32;  ///< of a word
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::Constraint, "[constraint] " + what);
}

std::size_t words_of(std::size_t bits) { return (bits + kBits - 1) / kBits; }

void check_mask(const TokenMask& mask, std::size_t vocab_size) {
  const std::size_t words = words_of(vocab_size);
  const auto beyond = mask.begin() + static_cast<std::ptrdiff_t>(std::min(words, mask.size()));
  if (std::any_of(beyond, mask.end(), [](std::uint32_t word) { return word != 0; })) {
    throw mask_too_long(mask.size() * sizeof(std::uint32_t), static_cast<int>(vocab_size));
  }
  const std::size_t spare = words * kBits - vocab_size;  // bits of the last word past the end
  const auto allows = [&](std::size_t word) {
    return word + 1 < words ? mask[word] != 0 : mask[word] << spare != 0;
  };
  for (std::size_t word = 0; word < std::min(words, mask.size()); ++word) {
    if (allows(word)) {
      return;
    }
  }
  refuse("allows no token; loosen it, or have it return None where the answer may end.");
}

void check_forced(const std::vector<int>& tokens, int vocab_size) {
  if (tokens.empty()) {
    refuse("forces a list of no tokens; return a mask, or None to end the answer.");
  }
  for (const int token : tokens) {
    if (token < 0 || token >= vocab_size) {
      refuse("forces token " + std::to_string(token) + ", which must be from 0 to " +
             std::to_string(vocab_size - 1) + ".");
    }
  }
}

}  // namespace

std::size_t most_mask_bytes(int vocab_size) {
  return 2 * words_of(static_cast<std::size_t>(vocab_size)) * sizeof(std::uint32_t) + 1024;
}

Error mask_too_long(std::size_t bytes, int vocab_size) {
  const std::size_t most = words_of(static_cast<std::size_t>(vocab_size)) * sizeof(std::uint32_t);
  return Error(ErrorKind::Constraint, "[constraint] gave a mask of " + std::to_string(bytes) +
                                          " bytes, but the model's " + std::to_string(vocab_size) +
                                          " tokens take " + std::to_string(most) +
                                          " at most; make it with this model's tokenizer.");
}

void check_next(const Constraint::Next& next, int vocab_size) {
  if (const auto* mask = std::get_if<TokenMask>(&next)) {
    check_mask(*mask, static_cast<std::size_t>(vocab_size));
  } else if (const auto* forced = std::get_if<Constraint::Forced>(&next)) {
    check_forced(forced->tokens, vocab_size);
  }
}

TokenMask only(int token) {
  const auto index = static_cast<std::size_t>(token);
  TokenMask mask(index / kBits + 1, 0);
  mask.back() = 1U << index % kBits;
  return mask;
}

void apply_mask(const TokenMask& allowed, std::span<float> logits) {
  for (std::size_t first = 0; first < logits.size(); first += kBits) {
    const std::size_t word = first / kBits;
    const std::uint32_t bits = word < allowed.size() ? allowed[word] : 0;
    const auto part = logits.subspan(first, std::min(kBits, logits.size() - first));
    if (bits == 0) {
      std::ranges::fill(part, kMinusInfinity);
    } else if (bits != ~0U) {
      for (std::size_t bit = 0; bit < part.size(); ++bit) {
        part[bit] = bits >> bit & 1U ? part[bit] : kMinusInfinity;
      }
    }
  }
}

}  // namespace convergio::engine
