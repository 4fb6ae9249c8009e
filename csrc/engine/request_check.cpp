#include "engine/request_check.h"

#include <string>

namespace convergio::engine {

namespace {

[[noreturn]] void refuse(const std::string& what, ErrorKind kind = ErrorKind::InvalidRequest) {
  throw Error(kind, "[engine] " + what);
}

}  // namespace

void check_prompt(const model::Model& model, const std::vector<int>& tokens) {
  if (tokens.empty()) {
    refuse("the prompt is empty; give it at least one token.");
  }
  for (const int token : tokens) {
    if (token < 0 || token >= model.vocab_size()) {
      refuse("the prompt has token " + std::to_string(token) + ", which must be from 0 to " +
             std::to_string(model.vocab_size() - 1) + ".");
    }
  }
  if (tokens.size() > static_cast<std::size_t>(model.context_window())) {
    refuse("a prompt of " + std::to_string(tokens.size()) +
               " tokens exceeds the context window of " + std::to_string(model.context_window()) +
               " tokens; shorten the prompt.",
           ErrorKind::ContextLength);
  }
}

void check_request(const model::Model& model, const Request& request) {
  const RequestOptions& options = request.options();
  check_prompt(model, request.prompt());
  if (options.max_tokens < 1) {
    refuse("max_tokens is " + std::to_string(options.max_tokens) + ", which must be at least 1.");
  }
  if (options.prefill_chunk < 1) {
    refuse("prefill_chunk is " + std::to_string(options.prefill_chunk) +
           ", which must be at least 1.");
  }
  if (options.timeout && !(*options.timeout > 0)) {
    refuse("timeout is " + std::to_string(*options.timeout) + " s, which must be above 0.");
  }
  options.sampling.validate(model.vocab_size());
  const auto prompt = static_cast<int>(request.prompt().size());
  if (options.max_tokens > model.context_window() - prompt) {
    refuse("a prompt of " + std::to_string(prompt) + " tokens and max_tokens of " +
               std::to_string(options.max_tokens) + " exceed the context window of " +
               std::to_string(model.context_window()) +
               " tokens; shorten the prompt or lower max_tokens.",
           ErrorKind::ContextLength);
  }
}

}  // namespace convergio::engine
