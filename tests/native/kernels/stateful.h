#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common.h"
#include "kernels/ops/stateful_rows.h"

namespace convergio::kernels::testing {

/// An op with a state over rows [from, to) of its inputs.
using StatefulOp = std::function<WithStates(int from, int to, std::vector<StatefulRows> sequences)>;

/// The same numbers in memory of its own.
mx::array copy_of(const mx::array& state);

/// y and the state of `n` rows of one sequence, on every instruction set and by MLX's ops, against
/// what an oracle found.
void check_oracle(const StatefulOp& op, int n, const mx::array& state, const WithStates& wanted,
                  float tolerance, const std::string& what);

/// On every instruction set: a sequence cut anywhere has the numbers of the whole, rows of several
/// sequences those of each alone, a state that is held keeps its own and one that is not is
/// written in place; all to the bit, in a graph and where ops are computed at once.
void check_same_bits(const StatefulOp& op, int n, const mx::array& state, const std::string& what);

}  // namespace convergio::kernels::testing
