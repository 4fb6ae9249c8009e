#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "engine/constraint.h"
#include "engine/sampling.h"
#include "mlx/array.h"

namespace convergio::engine {

namespace mx = mlx::core;

/// What is reported of a token's logits, from before edits; as graphs.
struct DeviceLogprobs {
  mx::array norm;        ///< (1,): the logarithm of the sum of the exponentials of all
  mx::array logit;       ///< (1,): the token's
  mx::array top;         ///< the likeliest tokens, the likeliest first
  mx::array top_logits;  ///< theirs
};

/// A token that is chosen on the device, as graphs: so that the next pass can be queued before this
/// token is read.
struct DeviceSample {
  mx::array token;  ///< (1,) uint32
  /// (1,), not finite where the token is none: logits are not finite, or what top-p leaves is wider
  /// than the kCandidates that MLX's ops look at. The Sampler then chooses, or throws.
  mx::array check;
  std::optional<DeviceLogprobs> logprobs = std::nullopt;
};

/// Of the likeliest tokens MLX's ops look at so many where top-p has no top-k before it.
constexpr int kCandidates = 128;

/// Logits, all in one row, with -inf where `allowed` does not have the token; as a graph.
mx::array masked(const mx::array& logits, const TokenMask& allowed);

/// Chooses the tokens of a request on the device.
class DeviceSampler {
 public:
  explicit DeviceSampler(SamplingParams params) : params_(std::move(params)) {}

  /// From now on `prompt` and `answer` are the tokens so far, of `vocab` that there are.
  void begin(std::span<const int> prompt, std::span<const int> answer, int vocab);

  /// The token that Sampler would choose at `step` of the answer, but for the rounding of sums, of
  /// logits (1, vocab). It counts as part of the answer from then on.
  DeviceSample sample(const mx::array& logits, std::uint64_t step);

 private:
  mx::array edited(const mx::array& row) const;

  SamplingParams params_;
  std::optional<mx::array> prompt_;  ///< (vocab,) float32: 1 for its tokens
  std::optional<mx::array> counts_;  ///< (vocab,) float32: in the answer
  std::optional<mx::array> bias_;    ///< (vocab,) float32
};

/// Of logits (vocab,) that need no edit, a token for each number of `uniforms`, (m,), from 0 to 1:
/// token and check are (m,).
DeviceSample sample_on_device(const mx::array& logits, const SamplingParams& params,
                              const mx::array& uniforms);

}  // namespace convergio::engine
