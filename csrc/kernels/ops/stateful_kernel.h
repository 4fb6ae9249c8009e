#pragma once

#include <cstdint>
#include <utility>
#include <vector>

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
