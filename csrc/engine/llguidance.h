#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

/// The part of llguidance's C interface (llguidance.h of version 1.9) that is used here. The
/// library is the one that its Python package installs; its functions are looked up at run time.
namespace convergio::engine::llg {

struct Tokenizer;           ///< opaque
struct Matcher;             ///< opaque
struct CancellationHandle;  ///< opaque

using EncodeFunction = std::size_t (*)(const void* user, const std::uint8_t* text, std::size_t size,
                                       std::uint32_t* tokens, std::size_t room);

/// LlgTokenizerInitV2. The library reads `struct_size` bytes of it.
struct TokenizerInit {
  std::size_t struct_size;
  std::uint32_t vocab_size;
  std::uint32_t eos_token;
  const std::uint32_t* token_sizes;
  const std::uint8_t* token_bytes;
  const char* tokenizer_json;
  bool encodes_strings_only;
  EncodeFunction encode;
  bool encodes_greedily;
  const void* encode_user;
  const char* const* slices;
  const std::uint32_t* more_eos_tokens;
  std::uint32_t more_eos_count;
};
static_assert(sizeof(void*) != 8 || sizeof(TokenizerInit) == 96);
static_assert(sizeof(void*) != 8 || offsetof(TokenizerInit, encode) == 48);
static_assert(sizeof(void*) != 8 || offsetof(TokenizerInit, more_eos_count) == 88);

/// LlgParserLimits.
struct Limits {
  std::size_t max_items_in_row;
  std::uint64_t initial_lexer_fuel;
  std::uint64_t step_lexer_fuel;
  std::size_t step_max_items;
  std::size_t max_lexer_states;
  std::size_t max_grammar_size;
  bool precompute_large_lexemes;
  bool verbose_errors;
};
static_assert(sizeof(void*) != 8 || sizeof(Limits) == 56);
static_assert(sizeof(void*) != 8 || offsetof(Limits, verbose_errors) == 49);

/// LlgConstraintInit.
struct MatcherInit {
  const Tokenizer* tokenizer;
  std::uint32_t log_buffer_level;
  std::uint32_t log_stderr_level;
  bool forced_tokens_ok;
  bool backtrack_ok;
  Limits limits;
};
static_assert(sizeof(void*) != 8 || sizeof(MatcherInit) == 80);
static_assert(sizeof(void*) != 8 || offsetof(MatcherInit, limits) == 24);

/// The library's functions, by the names of its header without their prefix.
struct Library {
  const char* (*get_version)();
  Tokenizer* (*new_tokenizer_v2)(const TokenizerInit*, char* message, std::size_t room);
  void (*free_tokenizer)(Tokenizer*);
  void (*constraint_init_set_defaults)(MatcherInit*, const Tokenizer*);
  std::int32_t (*validate_grammar)(const MatcherInit*, const char* kind, const char* grammar,
                                   char* message, std::size_t room);
  Matcher* (*new_matcher)(const MatcherInit*, const char* kind, const char* grammar);
  Matcher* (*clone_matcher)(const Matcher*);
  void (*free_matcher)(Matcher*);
  std::int32_t (*matcher_consume_tokens)(Matcher*, const std::uint32_t* tokens, std::size_t count);
  const char* (*matcher_get_error)(Matcher*);
  bool (*matcher_is_stopped)(const Matcher*);
  bool (*matcher_is_accepting)(Matcher*);
  std::int32_t (*matcher_compute_ff_tokens)(Matcher*, std::uint32_t* tokens, std::size_t room);
  std::size_t (*matcher_get_mask_byte_size)(const Matcher*);
  std::int32_t (*matcher_compute_mask_into)(Matcher*, std::uint32_t* mask, std::size_t bytes);
  std::int32_t (*matcher_validate_tokens)(Matcher*, const std::uint32_t* tokens, std::size_t count);
};

/// Loads the library at `path`, once a process.
///
/// Throws Error (Unavailable) where it cannot be loaded, is another version than 1.9 or lacks a
/// function.
const Library& load(const std::string& path);

}  // namespace convergio::engine::llg
