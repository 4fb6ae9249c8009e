#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "kernels/cpu/pool.h"
#include "kernels/mlx/primitive.h"
#include "kernels/ops/stateful_rows.h"

// What our own kernels of ops with a state have in common.
namespace convergio::kernels {

/// A sequence's rows in a pass, its state before them and where that after them goes.
struct BoundRows {
  std::int64_t from;
  std::int64_t to;
  const float* before;
  float* after;  ///< the same memory where it is updated in place
};

/// The memory of the states after `rows` of each sequence, which are outs[1], …, from those before
/// them, which are the first of `in`.
std::vector<BoundRows> bind_states(const std::vector<int>& rows, const std::vector<mx::array>& in,
                                   std::vector<mx::array>& outs);

/// The parts of sequences that lie in rows [from, to) of a pass. All but a sequence's first find
/// their state where it goes.
std::vector<BoundRows> within(const std::vector<BoundRows>& sequences, std::int64_t from,
                              std::int64_t to);

/// `count` floats of a state to where they are updated.
void carry_over(const BoundRows& rows, std::int64_t at, std::int64_t count);

/// The state of each head, (rows, width).
struct HeadStates {
  std::int64_t heads;
  std::int64_t rows;
  std::int64_t width;
};

/// Some of a head's rows of the state, for some of a sequence's tokens.
struct StateBlock {
  BoundRows tokens;
  std::int64_t head;
  std::int64_t first;
  std::int64_t rows;
  std::int64_t at;  ///< of its first number in the state
};

/// Takes the `n` tokens of a pass through the states, `window` of them at a time: prepare(token, i,
/// count) for each, which is token i of a window of so many and makes `token_floats`, then
/// advance(block, from, count) for each block, of the window that begins at token `from`. What a
/// block starts from is where it is updated; the first-level cache holds one.
template <class Prepare, class Advance>
void for_windows(const std::vector<BoundRows>& sequences, std::int64_t n, std::int64_t window,
                 std::int64_t token_floats, const HeadStates& states, const Prepare& prepare,
                 const Advance& advance) {
  constexpr std::int64_t kGrain = 16 * 1024;   // floats: below a second thread costs more
  constexpr std::int64_t kBlockFloats = 4096;  // of a state
  const std::int64_t most = std::max<std::int64_t>(16, kBlockFloats / states.width / 16 * 16);
  const std::int64_t blocks = (states.rows + most - 1) / most;
  for (std::int64_t from = 0; from < n; from += window) {
    const std::int64_t to = std::min(from + window, n);
    parallel_ranges(to - from, 1, kGrain / token_floats + 1,
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        prepare(from + i, i, to - from);
                      }
                    });
    const std::vector<BoundRows> parts = within(sequences, from, to);
    const std::int64_t tasks = static_cast<std::int64_t>(parts.size()) * states.heads * blocks;
    const std::int64_t work = (to - from) * states.heads * states.rows * states.width / tasks;
    parallel_ranges(tasks, 1, kGrain / std::max<std::int64_t>(work, 1) + 1,
                    [&](std::int64_t begin, std::int64_t end) {
                      for (std::int64_t i = begin; i < end; ++i) {
                        const std::int64_t first = i % blocks * most;
                        const std::int64_t head = i / blocks % states.heads;
                        const StateBlock block{
                            .tokens = parts[static_cast<std::size_t>(i / blocks / states.heads)],
                            .head = head,
                            .first = first,
                            .rows = std::min(most, states.rows - first),
                            .at = (head * states.rows + first) * states.width};
                        carry_over(block.tokens, block.at, block.rows * states.width);
                        advance(block, from, to - from);
                      }
                    });
  }
}

/// Rows of each sequence, for a kernel.
std::vector<int> rows_of_each(const std::vector<StatefulRows>& sequences);

/// Our own kernel over inputs that are the states, then `others`; its outputs are y (float32) and
/// the states.
template <class Kernel>
WithStates stateful_op(const char* name, mx::Shape y, std::vector<StatefulRows> sequences,
                       std::vector<mx::array> others, Kernel kernel) {
  std::vector<mx::Shape> shapes{std::move(y)};
  std::vector<mx::array> inputs;
  for (StatefulRows& one : sequences) {
    shapes.push_back(one.state.shape());
    inputs.push_back(std::move(one.state));  // moved: only then can it be written in place
  }
  sequences.clear();
  std::move(others.begin(), others.end(), std::back_inserter(inputs));
  others.clear();
  const std::vector<mx::Dtype> dtypes(shapes.size(), mx::float32);
  std::vector<mx::array> outs =
      cpu_ops(name, std::move(shapes), dtypes, std::move(inputs), std::move(kernel));
  return {outs[0], {outs.begin() + 1, outs.end()}};
}

}  // namespace convergio::kernels
