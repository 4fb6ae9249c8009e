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

  /// All rows of the pass are part of the sequence.
  void commit();
  /// Forgets the pass; false where it took something in place.
  bool rollback();

  std::size_t bytes() const;
  std::vector<mx::array> arrays() const;

 private:
  struct Part {
    std::optional<mx::array> now, next;
  };
  Part& at(StatePart part) { return parts_[static_cast<std::size_t>(part)]; }

  std::vector<Part> parts_;  ///< by StatePart; of a recurrence without heads the inputs alone
};

}  // namespace convergio::model
