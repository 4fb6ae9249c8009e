#include "engine/token_table.h"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "io/error.h"

namespace convergio::engine {

namespace {

constexpr char kSpecial = '\xFF';              ///< before the bytes of a token that no text spells
constexpr std::size_t kMostRemembered = 4096;  ///< encoded texts,
constexpr std::size_t kLongestRemembered = 1024;  ///< of so many bytes at most each
constexpr std::size_t kMessage = 1 << 14;         ///< bytes of a refusal that are read at most

/// What llguidance calls. Must not throw: Rust cannot pass it on.
std::size_t encode_for_library(const void* user, const std::uint8_t* text, std::size_t size,
                               std::uint32_t* tokens, std::size_t room) {
  try {
    auto* table = static_cast<TokenTable*>(const_cast<void*>(user));
    const auto found = table->encode({reinterpret_cast<const char*>(text), size});
    std::copy_n(found.begin(), std::min(room, found.size()), tokens);
    return found.size();
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace

TokenTable::TokenTable(const std::string& library, const std::vector<std::string>& tokens,
                       std::vector<std::uint32_t> special, Encode encode)
    : library_(llg::load(library)),
      special_(special.begin(), special.end()),
      encode_(std::move(encode)) {
  ends_.reserve(tokens.size());
  for (const std::string& token : tokens) {
    blob_ += token;
    ends_.push_back(blob_.size());
  }
}

TokenTable::~TokenTable() { library_.free_tokenizer(tokenizer_); }

const llg::Tokenizer* TokenTable::tokenizer() {
  std::call_once(made_, [this] {
    std::string marked;
    std::vector<std::uint32_t> sizes;
    for (std::uint32_t token = 0; token < ends_.size(); ++token) {
      const std::size_t before = marked.size();
      if (special_.contains(token)) {
        marked += kSpecial;
      }
      marked += bytes(token);
      sizes.push_back(static_cast<std::uint32_t>(marked.size() - before));
    }
    sizes.push_back(0);  // the end of a text: which tokens end an answer, the request says
    llg::TokenizerInit init{};
    init.struct_size = sizeof(init);
    init.vocab_size = static_cast<std::uint32_t>(sizes.size());
    init.eos_token = init.vocab_size - 1;
    init.token_sizes = sizes.data();
    init.token_bytes = reinterpret_cast<const std::uint8_t*>(marked.data());
    init.encodes_strings_only = true;
    init.encode = encode_for_library;
    init.encode_user = this;
    std::string message(kMessage, '\0');
    tokenizer_ = library_.new_tokenizer_v2(&init, message.data(), message.size());
    if (tokenizer_ == nullptr) {
      throw Error(ErrorKind::InvalidRequest,
                  "[structured] answers of this model's tokenizer cannot be constrained (" +
                      std::string(message.c_str()) + "); leave the response format and tools out.");
    }
  });
  return tokenizer_;
}

std::string_view TokenTable::bytes(std::uint32_t token) const {
  const std::size_t begin = token == 0 ? 0 : ends_[token - 1];
  return std::string_view(blob_).substr(begin, ends_[token] - begin);
}

std::vector<std::uint32_t> TokenTable::encode(std::string_view text) {
  {
    const std::scoped_lock lock(mutex_);
    if (const auto known = encoded_.find(text); known != encoded_.end()) {
      return known->second;
    }
  }
  std::vector<std::uint32_t> tokens;
  try {
    tokens = encode_(text);
  } catch (const std::exception&) {
    tokens = greedy(text);
  }
  if (!spells(tokens, text)) {  // it spells out a special token, say
    tokens = greedy(text);
  }
  remember(text, tokens);
  return tokens;
}

bool TokenTable::spells(const std::vector<std::uint32_t>& tokens, std::string_view text) const {
  for (const std::uint32_t token : tokens) {
    if (token >= size() || special_.contains(token) || !text.starts_with(bytes(token))) {
      return false;
    }
    text.remove_prefix(bytes(token).size());
  }
  return text.empty();
}

std::vector<std::uint32_t> TokenTable::greedy(std::string_view text) {
  std::call_once(sorted_, [this] {
    for (std::uint32_t token = 0; token < size(); ++token) {
      if (!bytes(token).empty() && !special_.contains(token)) {
        by_bytes_.emplace(bytes(token), token);
        longest_ = std::max(longest_, bytes(token).size());
      }
    }
  });
  std::vector<std::uint32_t> tokens;
  while (!text.empty()) {
    std::size_t length = std::min(longest_, text.size());
    auto found = by_bytes_.find(text.substr(0, length));
    while (found == by_bytes_.end() && length > 1) {
      found = by_bytes_.find(text.substr(0, --length));
    }
    if (found == by_bytes_.end()) {
      return {};  // no token spells this byte
    }
    tokens.push_back(found->second);
    text.remove_prefix(length);
  }
  return tokens;
}

void TokenTable::remember(std::string_view text, const std::vector<std::uint32_t>& tokens) {
  if (text.size() > kLongestRemembered) {
    return;
  }
  const std::scoped_lock lock(mutex_);
  if (encoded_.contains(text)) {
    return;
  }
  if (recent_.size() >= kMostRemembered) {
    encoded_.erase(recent_.front());
    recent_.pop_front();
  }
  recent_.emplace_back(text);
  encoded_.emplace(recent_.back(), tokens);
}

}  // namespace convergio::engine
