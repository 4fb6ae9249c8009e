#include "model/block.h"

#include <utility>

#include "kernels/ops/residual.h"

namespace convergio::model {

namespace {

using Attention = std::variant<SelfAttention, LatentAttention>;

Attention attention_of(WeightLoader& weights, const arch::ModelSpec& spec,
                       const arch::LayerSpec& layer) {
  if (layer.latent) {
    return LatentAttention(weights, spec, layer);
  }
  return SelfAttention(weights, spec, layer);
}

}  // namespace

Block::Block(WeightLoader& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer)
    : attention_in_(weights.norm(layer.attention_in, spec.config)),
      attention_out_(weights.norm(layer.attention_out, spec.config)),
      ffn_in_(weights.norm(layer.ffn_in, spec.config)),
      ffn_out_(weights.norm(layer.ffn_out, spec.config)),
      attention_(attention_of(weights, spec, layer)),
      ffn_(weights, spec, layer),
      scalar_(layer.scalar.empty() ? 1.0F : weights.scalar(layer.scalar)),
      residual_multiplier_(spec.config.residual_multiplier),
      parallel_(spec.config.placement == arch::Placement::Parallel) {
  for (auto* norm : {&attention_out_, &ffn_out_}) {
    if (*norm) {
      (*norm)->eps = spec.config.post_norm_eps;
    }
  }
  if (layer.per_layer) {
    per_layer_.emplace(weights, spec, *layer.per_layer);
  }
}

mx::array Block::normed(const mx::array& x, const std::optional<kernels::Norm>& norm) const {
  return norm ? kernels::norm(x, *norm) : x;
}

/// True where a branch joins the stream as it is, so that its last matrix can add to it.
bool Block::plain(const std::optional<kernels::Norm>& out) const {
  return !out && residual_multiplier_ == 1.0F;
}

mx::array Block::join(mx::array x, const mx::array& branch,
                      const std::optional<kernels::Norm>& norm) const {
  return kernels::residual(std::move(x), normed(branch, norm), residual_multiplier_);
}

/// Arrays are let go of as soon as may be: each is memory, where ops are computed at once.
mx::array Block::operator()(mx::array x, Segments segments, int index,
                            const mx::array* part) const {
  mx::array in = normed(x, attention_in_);
  x = std::visit(
      [&](const auto& attention) {
        return plain(attention_out_)
                   ? attention.onto(std::move(x), in, segments, index)
                   : join(std::move(x), attention(in, segments, index), attention_out_);
      },
      attention_);
  if (!parallel_) {
    in = normed(x, ffn_in_);
  }
  if (plain(ffn_out_)) {
    x = ffn_.onto(std::move(x), std::move(in));
  } else {
    const mx::array branch = ffn_(in, x);
    x = join(std::move(x), branch, ffn_out_);
  }
  if (per_layer_ && part != nullptr) {
    x = (*per_layer_)(std::move(x), *part);
  }
  return scalar_ == 1.0F ? x : kernels::scaled(std::move(x), scalar_);
}

}  // namespace convergio::model
