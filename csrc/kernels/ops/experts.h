#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "formats/experts.h"
#include "kernels/bodies/activation_kind.h"
#include "kernels/ops/linear.h"

namespace convergio::kernels {

/// One projection of every expert: a matrix and bias whose arrays begin with an axis of experts, or
/// one matrix and bias for each expert, all alike.
struct ExpertStack {
  std::vector<Linear> parts;
  bool stacked = false;
};

/// The experts of a layer as a checkpoint has them.
struct ExpertWeights {
  std::vector<ExpertStack> gate_up;  ///< {gate, up} or {gate‖up}; {up} where there is no gate
  bool interleaved = false;          ///< in {gate‖up} rows of both take turns
  ExpertStack down;
  std::optional<mx::array> correction;  ///< (experts,) float32, added to scores to choose by
  std::optional<mx::array> scales;      ///< likewise, multiplies the weights of those chosen
};

struct ExpertTable;

/// A mixture of experts: for each row, Σ of the chosen experts' weight · down(gated(gate(x),
/// up(x))), or · down(activated(up(x))).
class Experts {
 public:
  Experts(ExpertWeights weights, const formats::Experts& config, Activation activation);

  /// x is (n, hidden), `logits` (n, experts) of its router; the result (n, hidden) in x's dtype.
  mx::array operator()(const mx::array& x, const mx::array& logits) const;
  /// The same, added to `onto`.
  mx::array onto(mx::array onto, const mx::array& x, const mx::array& logits) const;

 private:
  bool own_kernels_take(const mx::array& x, const mx::array& logits) const;
  mx::array by_kernel(std::vector<mx::array> inputs) const;

  ExpertWeights weights_;                     ///< where MLX's ops compute: stacked
  std::shared_ptr<const ExpertTable> table_;  ///< where our kernels do
  formats::Experts config_;
  Activation activation_;
};

}  // namespace convergio::kernels
