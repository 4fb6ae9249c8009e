#include "model/block.h"

#include "kernels/norm.h"
#include "mlx/ops.h"

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

mx::array Block::join(const mx::array& x, const mx::array& branch) const {
  if (residual_multiplier_ == 1.0F) {
    return mx::add(x, branch);
  }
  return mx::add(x, mx::multiply(branch, mx::array(residual_multiplier_, branch.dtype())));
}

mx::array Block::operator()(const mx::array& x, Cache& cache, int index) const {
  const mx::array mixed = attention_(normed(x, attention_in_), cache, index);
  const mx::array h = join(x, normed(mixed, attention_out_));
  return join(h, normed(ffn_(normed(h, ffn_in_)), ffn_out_));
}

}  // namespace convergio::model
