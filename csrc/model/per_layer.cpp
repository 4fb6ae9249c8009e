#include "model/per_layer.h"

#include <cmath>
#include <utility>

#include "kernels/mlx/view.h"
#include "kernels/ops/activation.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/residual.h"
#include "mlx/ops.h"

namespace convergio::model {

namespace {

/// Embedding and projection are added and divided by sqrt(2), which keeps their variance. It is
/// taken into the weight of the projection's norm and into the multiplier of the embedding.
const float kHalf = std::sqrt(0.5F);

/// The projection is multiplied by 1 / sqrt(hidden_size) before its norm: for that its eps is as
/// much larger.
kernels::Norm norm_of_projection(WeightLoader& weights, const arch::ModelSpec& spec) {
  kernels::Norm norm = weights.norm(spec.per_layer->norm, spec.config);
  norm.weight = mx::multiply(norm.weight, mx::array(kHalf, norm.weight.dtype()));
  norm.eps *= static_cast<float>(spec.config.hidden_size);
  return norm;
}

}  // namespace

PerLayerInputs::PerLayerInputs(WeightLoader& weights, const arch::ModelSpec& spec)
    : embedding_(weights.matrix(spec.per_layer->embedding)),
      projection_(weights.linear(spec.per_layer->projection)),
      norm_(norm_of_projection(weights, spec)),
      multiplier_(kHalf * std::sqrt(static_cast<float>(spec.config.per_layer_size))),
      layers_(static_cast<int>(spec.layers.size())) {}

std::vector<mx::array> PerLayerInputs::operator()(const mx::array& ids, const mx::array& x) const {
  const mx::array rows = kernels::embedding(ids, embedding_, x.dtype(), multiplier_);
  const int size = rows.shape(1) / layers_;
  mx::Shape ends;
  for (int layer = 1; layer < layers_; ++layer) {
    ends.push_back(layer * size);
  }
  std::vector<mx::array> parts = kernels::split_columns(rows, ends);
  const std::vector<mx::array> projected =
      kernels::split_columns(kernels::linear(x, projection_), ends);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i] = kernels::residual(kernels::norm(projected[i], norm_), parts[i], 1.0F);
  }
  return parts;
}

PerLayer::PerLayer(WeightLoader& weights, const arch::ModelSpec& spec,
                   const arch::PerLayerSpec& layer)
    : gate_(weights.linear(layer.gate)),
      projection_(weights.linear(layer.projection)),
      norm_(weights.norm(layer.norm, spec.config)) {}

mx::array PerLayer::operator()(mx::array x, const mx::array& part) const {
  const mx::array gated =
      kernels::gated(kernels::linear(x, gate_), part, kernels::Activation::GeluTanh);
  return kernels::residual(std::move(x), kernels::norm(kernels::linear(gated, projection_), norm_),
                           1.0F);
}

}  // namespace convergio::model
