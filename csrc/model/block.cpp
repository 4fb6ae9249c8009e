#include "model/block.h"

#include <utility>

#include "kernels/ops/residual.h"

namespace convergio::model {

namespace {

std::vector<Branch> mixers_of(WeightLoader& weights, const arch::ModelSpec& spec,
                              const arch::LayerSpec& layer) {
  std::vector<Branch> mixers;
  const arch::Multipliers& factors = spec.config.multipliers;
  const float attention = spec.config.residual_multiplier * factors.of_attention();
  const float recurrence = spec.config.residual_multiplier * factors.recurrence_out;
  if (layer.latent) {
    mixers.push_back({LatentAttention(weights, spec, layer), attention});
  } else if (layer.config.attends) {
    mixers.push_back({SelfAttention(weights, spec, layer), attention});
  }
  if (const auto* conv = std::get_if<arch::ShortConvSpec>(&layer.recurrence)) {
    mixers.push_back({ShortConv(weights, *conv), recurrence});
  }
  if (const auto* delta = std::get_if<arch::GatedDeltaSpec>(&layer.recurrence)) {
    mixers.push_back({GatedDeltaNet(weights, spec, *delta, layer.config.recurrence), recurrence});
  }
  if (const auto* kimi = std::get_if<arch::KimiDeltaSpec>(&layer.recurrence)) {
    mixers.push_back({KimiDelta(weights, spec, *kimi, layer.config.recurrence), recurrence});
  }
  if (const auto* mamba = std::get_if<arch::Mamba2Spec>(&layer.recurrence)) {
    mixers.push_back({Mamba2(weights, spec, *mamba, layer.config.recurrence), recurrence});
  }
  return mixers;
}

}  // namespace

Block::Block(WeightLoader& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer)
    : mixer_in_(weights.norm(layer.mixer_in, spec.config)),
      mixer_out_(weights.norm(layer.mixer_out, spec.config)),
      ffn_in_(weights.norm(layer.ffn_in, spec.config)),
      ffn_out_(weights.norm(layer.ffn_out, spec.config)),
      mixers_(mixers_of(weights, spec, layer)),
      scalar_(layer.scalar.empty() ? 1.0F : weights.scalar(layer.scalar)),
      ffn_factor_(spec.config.residual_multiplier * spec.config.multipliers.down),
      parallel_(spec.config.placement == arch::Placement::Parallel) {
  for (auto* norm : {&mixer_out_, &ffn_out_}) {
    if (*norm) {
      (*norm)->eps = spec.config.post_norm_eps;
    }
  }
  if (layer.config.feeds) {
    ffn_.emplace(weights, spec, layer);
  }
  if (layer.per_layer) {
    per_layer_.emplace(weights, spec, *layer.per_layer);
  }
}

mx::array Block::normed(const mx::array& x, const std::optional<kernels::Norm>& norm) const {
  return norm ? kernels::norm(x, *norm) : x;
}

/// True where a branch joins the stream as it is, so that its last matrix can add to it.
bool Block::plain(const std::optional<kernels::Norm>& out, float factor) {
  return !out && factor == 1.0F;
}

mx::array Block::join(mx::array x, const mx::array& branch,
                      const std::optional<kernels::Norm>& norm, float factor) const {
  return kernels::residual(std::move(x), normed(branch, norm), factor);
}

mx::array Block::mix(mx::array x, const mx::array& in, Segments segments, int index) const {
  for (const auto& [mixer, factor] : mixers_) {
    x = std::visit(
        [&, factor = factor](const auto& one) {
          return plain(mixer_out_, factor)
                     ? one.onto(std::move(x), in, segments, index)
                     : join(std::move(x), one(in, segments, index), mixer_out_, factor);
        },
        mixer);
  }
  return x;
}

mx::array Block::feed(mx::array x, mx::array in) const {
  if (plain(ffn_out_, ffn_factor_)) {
    return ffn_->onto(std::move(x), std::move(in));
  }
  const mx::array branch = (*ffn_)(in, x);
  return join(std::move(x), branch, ffn_out_, ffn_factor_);
}

/// Arrays are let go of as soon as may be: each is memory, where ops are computed at once.
mx::array Block::operator()(mx::array x, Segments segments, int index,
                            const mx::array* part) const {
  mx::array in = normed(x, mixers_.empty() ? ffn_in_ : mixer_in_);
  x = mix(std::move(x), in, segments, index);
  if (ffn_) {
    if (!parallel_ && !mixers_.empty()) {
      in = normed(x, ffn_in_);
    }
    x = feed(std::move(x), std::move(in));
  }
  if (per_layer_ && part != nullptr) {
    x = (*per_layer_)(std::move(x), *part);
  }
  return scalar_ == 1.0F ? x : kernels::scaled(std::move(x), scalar_);
}

}  // namespace convergio::model
