#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "engine/llguidance.h"

namespace convergio::engine {

/// The bytes of every token of a vocabulary, as llguidance needs them; the matchers of any number
/// of grammars share it. Safe to call from any thread.
class TokenTable {
 public:
  /// The tokens of a text that follows others. May be called from any thread, and may throw.
  using Encode = std::function<std::vector<std::uint32_t>(std::string_view)>;

  /// `tokens` are what each id stands for. `special` are ids that no text spells: grammars name
  /// them by id. Throws Error (Unavailable) where llguidance cannot be loaded from `library`.
  TokenTable(const std::string& library, const std::vector<std::string>& tokens,
             std::vector<std::uint32_t> special, Encode encode);
  ~TokenTable();
  TokenTable(const TokenTable&) = delete;
  TokenTable& operator=(const TokenTable&) = delete;

  const llg::Library& library() const { return library_; }

  /// Tokens of the vocabulary. The library has one more, its end of a text, which no model knows.
  std::size_t size() const { return ends_.size(); }

  /// llguidance's own table. Made by the first call: 0.2 s for 128 000 tokens. Throws Error
  /// (InvalidRequest) where llguidance refuses the vocabulary.
  const llg::Tokenizer* tokenizer();

  /// The tokens of a text, as the model's tokenizer has them, or else the longest first.
  std::vector<std::uint32_t> encode(std::string_view text);

 private:
  std::string_view bytes(std::uint32_t token) const;
  bool spells(const std::vector<std::uint32_t>& tokens, std::string_view text) const;
  std::vector<std::uint32_t> greedy(std::string_view text);
  void remember(std::string_view text, const std::vector<std::uint32_t>& tokens);

  const llg::Library& library_;
  std::string blob_;               ///< the bytes of all tokens
  std::vector<std::size_t> ends_;  ///< where each ends in it
  std::unordered_set<std::uint32_t> special_;
  Encode encode_;
  std::once_flag made_;
  llg::Tokenizer* tokenizer_ = nullptr;
  std::once_flag sorted_;
  std::unordered_map<std::string_view, std::uint32_t> by_bytes_;  ///< for greedy()
  std::size_t longest_ = 0;

  std::mutex mutex_;  ///< of what follows
  std::list<std::string> recent_;
  std::unordered_map<std::string_view, std::vector<std::uint32_t>> encoded_;
};

}  // namespace convergio::engine
