#pragma once

#include <optional>
#include <span>
#include <vector>

#include "engine/answer.h"
#include "engine/decoder.h"
#include "mlx/array.h"

namespace convergio::engine {

/// What an active request has of a pass: the next `rows` of the tokens that its cache lacks.
struct Share {
  Answer* answer;
  Decoder* decoder;
  int rows;
  bool last;  ///< no token is lacking after them, so that the next is decided from their logits
};

/// Runs all shares, of one model, in one forward. The result has the logits of the last row of each
/// share that is `last`, in order, perhaps still to be computed; nullopt: there is none. Where a
/// share is alone, the end of its request interrupts the pass and leaves the cache as it was;
/// whatever else is thrown leaves no cache to go on with.
std::optional<mx::array> run_pass(std::span<const Share> shares);

}  // namespace convergio::engine
