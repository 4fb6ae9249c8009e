#include "kernels/ops/stateful_rows.h"

#include <stdexcept>
#include <utility>

#include "mlx/ops.h"

namespace convergio::kernels {

std::string shape_text(const mx::Shape& shape) {
  std::string text;
  for (const int size : shape) {
    text += (text.empty() ? "(" : ", ") + std::to_string(size);
  }
  return text + ")";
}

void check_states(const char* op, const std::vector<StatefulRows>& sequences, int rows,
                  const mx::Shape& state) {
  int counted = 0;
  for (const StatefulRows& one : sequences) {
    if (one.rows < 1) {
      throw std::logic_error("[" + std::string(op) + "] a sequence has " +
                             std::to_string(one.rows) + " rows; leave out those without any.");
    }
    if (one.state.shape() != state || one.state.dtype() != mx::float32) {
      throw std::logic_error("[" + std::string(op) + "] a state is " +
                             shape_text(one.state.shape()) + "; pass " + shape_text(state) +
                             " of float32.");
    }
    counted += one.rows;
  }
  if (counted != rows) {
    throw std::logic_error("[" + std::string(op) + "] the sequences have " +
                           std::to_string(counted) + " rows, the pass " + std::to_string(rows) +
                           "; pass as many.");
  }
}

WithStates one_by_one(const std::vector<StatefulRows>& sequences, const Update& update) {
  std::vector<mx::array> results;
  std::vector<mx::array> states;
  int from = 0;
  for (const StatefulRows& one : sequences) {
    Updated updated = update(from, from + one.rows, one.state);
    results.push_back(std::move(updated.y));
    states.push_back(std::move(updated.state));
    from += one.rows;
  }
  return {results.size() == 1 ? results[0] : mx::concatenate(results, 0), std::move(states)};
}

}  // namespace convergio::kernels
