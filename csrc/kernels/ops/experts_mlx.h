#pragma once

#include "kernels/ops/experts.h"

namespace convergio::kernels {

/// Of each row the experts it goes to and their weights, both (n, chosen).
struct Routes {
  mx::array experts;  ///< uint32
  mx::array weights;  ///< float32
};

/// By MLX's ops, from the router's logits (n, experts).
Routes mlx_route(const mx::array& logits, const std::optional<mx::array>& correction,
                 const formats::Router& router);

/// A stack whose parts are one, as MLX's gathered products take it.
ExpertStack mlx_stacked(const ExpertStack& stack);

/// Experts by MLX's ops; every stack is stacked.
mx::array mlx_experts(const mx::array& x, const mx::array& logits, const ExpertWeights& weights,
                      const formats::Experts& config, Activation activation);

}  // namespace convergio::kernels
