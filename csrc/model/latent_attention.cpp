#include "model/latent_attention.h"

#include <utility>

#include "kernels/mlx/view.h"
#include "kernels/ops/linear.h"
#include "model/attention.h"

namespace convergio::model {

namespace {

/// Of the norms of latents: the published classes give them this, whatever "rms_norm_eps" says.
constexpr float kLatentEps = 1e-6F;

kernels::Norm latent_norm(WeightLoader& weights, const arch::NormSpec& spec,
                          const arch::Config& config) {
  kernels::Norm norm = weights.norm(spec, config);
  norm.eps = kLatentEps;
  return norm;
}

/// A file has them absorbed already, or as one matrix whose part for keys is turned around here,
/// in floats that hold its numbers.
std::vector<kernels::HeadLinear> load_heads(WeightLoader& weights, const arch::LatentSpec& spec,
                                            const arch::LayerConfig& layer, mx::Dtype dtype) {
  const auto blocks = [&](const arch::MatrixSpec& matrix, int block, int first, int rows) {
    kernels::HeadMatrices all{
        .weight = weights.matrix(matrix), .heads = layer.heads, .block = block, .first = first};
    all.weight.rows = rows;
    return all;
  };
  if (spec.heads.size() == 2) {
    const auto whole = [&](const arch::MatrixSpec& matrix) {
      return kernels::HeadLinear(blocks(matrix, matrix.rows, 0, matrix.rows));
    };
    return {whole(spec.heads[0]), whole(spec.heads[1])};
  }
  const arch::MatrixSpec& both = spec.heads.front();
  const auto& [rank, q_rank, plain, rotated, value] = layer.latent;
  const mx::Dtype floats = both.quantization ? dtype : weights.dtype_of(both);
  return {kernels::HeadLinear(kernels::transposed(blocks(both, plain + value, 0, plain), floats)),
          kernels::HeadLinear(blocks(both, plain + value, plain, value))};
}

}  // namespace

LatentAttention::LatentAttention(WeightLoader& weights, const arch::ModelSpec& spec,
                                 const arch::LayerSpec& layer)
    : q_(weights.linear(layer.latent->q)),
      kv_down_(weights.linear(layer.latent->kv_down)),
      o_(weights.linear(layer.attention_o)),
      kv_norm_(latent_norm(weights, layer.latent->kv_norm, spec.config)),
      heads_(load_heads(weights, *layer.latent, layer.config, kv_norm_.weight.dtype())),
      options_(attention_options(spec.config, layer.config)),
      sizes_(layer.config),
      interleaved_(spec.config.rope_interleaved) {
  if (layer.latent->q_down) {
    q_down_ = weights.linear(*layer.latent->q_down);
    q_norm_ = latent_norm(weights, *layer.latent->q_norm, spec.config);
  }
}

/// (1, heads, n, rank + rotated): against a latent and the rotated key beside it.
mx::array LatentAttention::queries(const mx::array& x, Segments segments) const {
  const auto& [rank, q_rank, plain, turned, value] = sizes_.latent;
  const mx::array q = kernels::heads_of(
      kernels::linear(q_down_ ? kernels::norm(kernels::linear(x, *q_down_), *q_norm_) : x, q_),
      sizes_.heads);
  const mx::array part =
      rotated(kernels::part_of_rows(q, plain, plain + turned), segments, sizes_.rope, interleaved_);
  return kernels::heads_of(heads_[0](kernels::part_of_rows(q, 0, plain), part), sizes_.heads);
}

/// Before the projection out.
mx::array LatentAttention::mix(const mx::array& x, Segments segments, int index) const {
  const std::vector<mx::array> kv =
      kernels::split_columns(kernels::linear(x, kv_down_), {sizes_.latent.rank});
  const mx::array latents = kernels::heads_of(kernels::norm(kv[0], kv_norm_), 1);
  const mx::array keys = rotated(kernels::heads_of(kv[1], 1), segments, sizes_.rope, interleaved_);
  std::vector<kernels::SeenKeys> seen =
      seen_keys(segments, index, [&](LayerCache& layer, int from, int to) {
        return layer.append_latent(kernels::rows_between(latents, from, to),
                                   kernels::rows_between(keys, from, to));
      });
  const mx::array mixed = kernels::attention(queries(x, segments), std::move(seen), options_);
  return heads_[1](kernels::heads_of(mixed, sizes_.heads));
}

mx::array LatentAttention::operator()(const mx::array& x, Segments segments, int index) const {
  return kernels::linear(mix(x, segments, index), o_);
}

mx::array LatentAttention::onto(mx::array onto, const mx::array& x, Segments segments,
                                int index) const {
  return kernels::linear_onto(std::move(onto), mix(x, segments, index), o_);
}

}  // namespace convergio::model
