#pragma once

#include <optional>
#include <span>
#include <vector>

#include "engine/answer.h"
#include "engine/decoder.h"
#include "mlx/array.h"

namespace convergio::engine {

/// What an active request has of a pass: the next `rows` of the tokens that its cache lacks, and
/// behind the last of them what its answer has drafted.
struct Share {
  Answer* answer;
  Decoder* decoder;
  int rows;
  bool last;  ///< no token is lacking after them, so that the next is decided from their logits
  int drafted = 0;           ///< tokens behind them; its answer may have ended since, and have none
  std::vector<int> marks{};  ///< of its segment (model::Segment::marks)
};

/// Rows of logits that a share has of a pass: after its last token and each drafted one.
int logits_of(const Share& share);

/// Rows of a pass over all of them.
int rows_of(std::span<const Share> shares);

/// Runs all shares, of one model, in one forward. The result has the logits of all shares, in
/// order, perhaps still to be computed; nullopt: there are none. Where a share is alone, the end of
/// its request interrupts the pass and leaves the cache as it was; whatever else is thrown leaves
/// no cache to go on with.
std::optional<mx::array> run_pass(std::span<const Share> shares);

}  // namespace convergio::engine
