#include "kernels/ops/experts.h"

#include <utility>

#include "kernels/mlx/primitive.h"
#include "kernels/ops/expert_table.h"
#include "kernels/ops/experts_kernel.h"
#include "kernels/ops/experts_mlx.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

ExpertWeights mlx_weights(ExpertWeights weights) {
  for (ExpertStack& stack : weights.gate_up) {
    stack = mlx_stacked(stack);
  }
  weights.down = mlx_stacked(weights.down);
  return weights;
}

}  // namespace

Experts::Experts(ExpertWeights weights, const formats::Experts& config, Activation activation)
    : table_(expert_table(weights, config)), config_(config), activation_(activation) {
  weights_ = table_ ? std::move(weights) : mlx_weights(std::move(weights));
}

bool Experts::own_kernels_take(const mx::array& x, const mx::array& logits) const {
  return table_ && own_kernels(x) && logits.dtype() == mx::float32;
}

/// With a third input, onto that.
mx::array Experts::by_kernel(std::vector<mx::array> inputs) const {
  mx::Shape shape = inputs[0].shape();
  ExpertsKernel kernel(table_, config_, activation_, /*adds=*/inputs.size() == 3);
  return cpu_op("experts", std::move(shape), mx::float32, std::move(inputs), std::move(kernel));
}

mx::array Experts::operator()(const mx::array& x, const mx::array& logits) const {
  return own_kernels_take(x, logits)
             ? by_kernel({x, logits})
             : mlx_experts(x, logits, mlx_weights(weights_), config_, activation_);
}

mx::array Experts::onto(mx::array onto, const mx::array& x, const mx::array& logits) const {
  if (!own_kernels_take(x, logits) || onto.dtype() != mx::float32) {
    return mx::add(onto, (*this)(x, logits));
  }
  std::vector<mx::array> inputs{x, logits};
  inputs.push_back(std::move(onto));  // moved: only then can it be written over
  return by_kernel(std::move(inputs));
}

}  // namespace convergio::kernels
