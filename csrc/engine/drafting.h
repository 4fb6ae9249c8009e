#pragma once

#include <span>

#include "engine/pass.h"

namespace convergio::engine {

/// Gives the rows that a pass over these shares has left to drafted tokens, where that makes more
/// tokens in the same time: for each answer what it looked up or what a smaller model drafts,
/// whichever promises more. Where there is no memory to find some, there are none.
void choose_drafts(std::span<Share* const> shares) noexcept;

/// What the pass, which took so many seconds, took more than without drafts is on the account of
/// those that drafted.
void charge_drafts(std::span<const Share> shares, double took);

}  // namespace convergio::engine
