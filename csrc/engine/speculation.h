#pragma once

#include <span>
#include <vector>

#include "engine/draft.h"
#include "engine/pass_costs.h"

namespace convergio::engine {

/// How many tokens of each draft, from its first, a pass is to run that has `rows` rows without
/// them, after each of which but a part of a prompt's a token is decided: `decided`. As many as
/// make the most tokens for the time that the pass takes, none where it is hardly more so.
std::vector<int> worth_running(const PassCosts& costs, int rows, int decided,
                               std::span<const Draft> drafts);

}  // namespace convergio::engine
