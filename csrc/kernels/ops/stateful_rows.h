#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mlx/array.h"

// What the ops with a state have in common: they go over the rows of several sequences, and each
// row is computed from what the rows before it have left.
namespace convergio::kernels {

namespace mx = mlx::core;

/// Some rows that stand one after another in a sequence, and the state before the first. Moved into
/// an op, a state that nobody else holds is updated in place; one that is held is copied.
struct StatefulRows {
  int rows;         ///< 1 at least
  mx::array state;  ///< float32, row-contiguous
};

/// A result for each row, and each sequence's state after its last row.
struct WithStates {
  mx::array y;
  std::vector<mx::array> states;
};

/// Throws std::logic_error where the sequences have not `rows` rows together, or a state is not
/// float32 of this shape.
void check_states(const char* op, const std::vector<StatefulRows>& sequences, int rows,
                  const mx::Shape& state);

/// "(2, 3)".
std::string shape_text(const mx::Shape& shape);

/// A sequence's results and its state after them, of rows [from, to) of a pass.
struct Updated {
  mx::array y;
  mx::array state;
};
using Update = std::function<Updated(int from, int to, const mx::array& state)>;

/// By MLX's ops: the sequences one after another.
WithStates one_by_one(const std::vector<StatefulRows>& sequences, const Update& update);

}  // namespace convergio::kernels
