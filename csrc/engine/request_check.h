#pragma once

#include <vector>

#include "engine/request.h"
#include "model/forward.h"

namespace convergio::engine {

/// Throws Error where there are no tokens, one is not of the vocabulary, or they exceed the context
/// window.
void check_prompt(const model::Model& model, const std::vector<int>& tokens);

/// The same, and where an option is out of its range or the answer may exceed the context window:
/// InvalidRequest or ContextLength.
void check_request(const model::Model& model, const Request& request);

}  // namespace convergio::engine
