#pragma once

#include "engine/constraint.h"
#include "engine/sampling.h"
#include "mlx/array.h"

namespace convergio::engine {

namespace mx = mlx::core;

/// True where the next token can be chosen on the device, without a word from the CPU: greedy,
/// temperature, top-k, top-p and min-p. Penalties, bias and log-probabilities need the Sampler.
bool samples_on_device(const SamplingParams& params);

/// Logits, all in one row, with -inf where `allowed` does not have the token; as a graph.
mx::array masked(const mx::array& logits, const TokenMask& allowed);

/// The token (scalar int32, not evaluated) that Sampler would choose at `step` of the answer, but
/// for the rounding of sums, as a graph: so that the next step can be queued before this one is
/// read. -1 where Sampler would throw. Nothing is sorted: top-k and top-p find their threshold
/// by bisection.
mx::array sample_on_device(const mx::array& logits, const SamplingParams& params,
                           std::uint64_t step);

}  // namespace convergio::engine
