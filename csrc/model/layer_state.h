#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "arch/recurrence.h"
#include "mlx/array.h"

namespace convergio::model {

namespace mx = mlx::core;

/// The parts of a recurrence's state.
enum class StatePart : std::uint8_t {
  Inputs,    ///< of the convolution: (taps - 1, channels), the last ones of the sequence
  Matrices,  ///< (heads, value_dim, key_dim)
};

/// The state of one layer's recurrence after the tokens of a sequence, in float32; zero before the
/// first. It cannot go back: a pass takes what is there and puts what that became, and the old
/// stays until the pass is committed, or is written over where the pass takes it in place. A copy
/// shares its arrays, which are then written elsewhere.
class LayerState {
 public:
  explicit LayerState(const arch::Recurrence& sizes);

  /// A part as the pass at hand finds it. In place: it is given away, for an op that may write the
  /// new one over it; then rollback() has nothing to go back to.
  mx::array take(StatePart part, bool in_place);
  /// What became of it.
  void put(StatePart part, mx::array next);

  /// Keeps what has been put, from which more rows of the pass go on, and gives it; until the part
  /// is taken again, or drop_marks().
  const mx::array& mark(StatePart part);
  /// The state as all parts were at the pass's mark `index`, counted from 0.
  LayerState marked(std::size_t index) const;
  void drop_marks();

  /// All rows of the pass are part of the sequence.
  void commit();
  /// Forgets the pass and its marks; false where it took something in place.
  bool rollback();

  std::size_t bytes() const;
  std::vector<mx::array> arrays() const;

 private:
  struct Part {
    std::optional<mx::array> now, next;
    std::vector<mx::array> marks;
  };
  Part& at(StatePart part) { return parts_[static_cast<std::size_t>(part)]; }

  std::vector<Part> parts_;  ///< by StatePart; of a recurrence without heads the inputs alone
};

}  // namespace convergio::model
