#pragma once

#include <optional>
#include <vector>

#include "arch/spec.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/head_linear.h"
#include "kernels/ops/norm.h"
#include "model/segments.h"
#include "model/weight_loader.h"

namespace convergio::model {

/// Latent attention (MLA, DeepSeek-AI 2024) of one layer. The cache has the latent of a token and
/// the rotated key that all heads share. The matrices that would make keys of the latent are
/// absorbed into queries, and those of values applied to what attention makes: it is that of one KV
/// head.
class LatentAttention {
 public:
  LatentAttention(WeightLoader& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer);

  /// x is (n, hidden_size), normed; its latents and rotated keys join layer `index` of the caches.
  mx::array operator()(const mx::array& x, Segments segments, int index) const;
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, const mx::array& x, Segments segments, int index) const;

 private:
  mx::array mix(const mx::array& x, Segments segments, int index) const;
  mx::array queries(const mx::array& x, Segments segments) const;

  std::optional<Linear> q_down_;
  std::optional<kernels::Norm> q_norm_;
  Linear q_, kv_down_, o_;
  kernels::Norm kv_norm_;
  std::vector<kernels::HeadLinear> heads_;  ///< {queries to latents, latents to values}
  kernels::AttentionOptions options_;
  arch::LayerConfig sizes_;
  bool interleaved_;
};

}  // namespace convergio::model
