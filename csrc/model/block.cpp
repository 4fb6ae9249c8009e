#include "model/block.h"

#include <utility>

#include "kernels/norm.h"
#include "kernels/residual.h"

namespace convergio::model {

namespace {

std::optional<mx::array> load(Weights& weights, const std::optional<arch::NormSpec>& norm,
                              bool adds_one) {
  return norm ? std::optional(weights.norm(*norm, adds_one)) : std::nullopt;
}

}  // namespace

Block::Block(Weights& weights, const arch::ModelSpec& spec, const arch::LayerSpec& layer)
    : attention_in_(load(weights, layer.attention_in, spec.config.family->norm_adds_one)),
      attention_out_(load(weights, layer.attention_out, spec.config.family->norm_adds_one)),
      ffn_in_(load(weights, layer.ffn_in, spec.config.family->norm_adds_one)),
      ffn_out_(load(weights, layer.ffn_out, spec.config.family->norm_adds_one)),
      attention_(weights, spec, layer),
      ffn_(weights, spec, layer),
      norm_eps_(spec.config.norm_eps),
      residual_multiplier_(spec.config.residual_multiplier) {}

mx::array Block::normed(const mx::array& x, const std::optional<mx::array>& norm) const {
  return norm ? kernels::rms_norm(x, *norm, norm_eps_) : x;
}

/// True where a branch joins the stream as it is, so that its last matrix can add to it.
bool Block::plain(const std::optional<mx::array>& out) const {
  return !out && residual_multiplier_ == 1.0F;
}

mx::array Block::join(mx::array x, const mx::array& branch,
                      const std::optional<mx::array>& norm) const {
  return kernels::residual(std::move(x), normed(branch, norm), residual_multiplier_);
}

/// Arrays are let go of as soon as may be: each is memory, where ops are computed at once.
mx::array Block::operator()(mx::array x, Cache& cache, int index) const {
  mx::array in = normed(x, attention_in_);
  x = plain(attention_out_) ? attention_.onto(std::move(x), in, cache, index)
                            : join(std::move(x), attention_(in, cache, index), attention_out_);
  in = normed(x, ffn_in_);
  return plain(ffn_out_) ? ffn_.onto(std::move(x), std::move(in))
                         : join(std::move(x), ffn_(in), ffn_out_);
}

}  // namespace convergio::model
