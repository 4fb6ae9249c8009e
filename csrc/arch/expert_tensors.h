#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "arch/experts.h"
#include "arch/tensors.h"

namespace convergio::arch {

/// One projection of every expert, all of one shape and format: one matrix with an axis of experts
/// before its own, or one matrix for each.
struct ExpertMatrices {
  std::vector<MatrixSpec> parts;
  bool stacked = false;  ///< one part, whose tensors are (experts, …)
};

/// The feed-forward of a sparse layer, without what every token goes through.
struct ExpertsSpec {
  MatrixSpec router;
  std::string correction;  ///< a tensor, (experts,) or (1, experts), added to scores to choose by
  std::string scales;      ///< likewise, of (experts,), multiplies the weights of those chosen
  std::vector<ExpertMatrices> gate_up;  ///< {gate, up} or {gate‖up}; {up} where there is no gate
  ExpertMatrices down;
  bool interleaved = false;  ///< in {gate‖up} rows of both take turns
  /// Where experts are latent: what makes a token's numbers for them, (latent, hidden_size), and
  /// what makes hidden ones of theirs.
  std::optional<MatrixSpec> latent_in, latent_out;
};

/// Looks up a sparse layer's tensors; `prefix` is the layer's.
ExpertsSpec resolve_experts(TensorBook& book, const Config& config, const std::string& prefix);

/// The bytes of all experts of a layer.
std::size_t bytes_of_experts(const TensorBook& book, const ExpertsSpec& experts);

/// The prefix of the experts that serve every token.
std::string shared_experts(const TensorBook& book, const std::string& prefix);

}  // namespace convergio::arch
