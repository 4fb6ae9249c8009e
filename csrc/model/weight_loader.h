#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "arch/expert_tensors.h"
#include "arch/tensors.h"
#include "io/safetensors.h"
#include "kernels/mlx/mapped_arrays.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/experts.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/norm.h"

namespace convergio::model {

namespace mx = mlx::core;

using kernels::Linear;

/// Divides the bias of a matrix by a factor that all that it makes is multiplied with later, and
/// that stands before its bias.
void unscale_bias(Linear& linear, float factor);

/// Makes arrays of a checkpoint's tensors. Matrices stay where the file has them, if the device can
/// bind them there; vectors, which are small, are copied to the dtype of the activations.
class WeightLoader {
 public:
  WeightLoader(const io::Checkpoint& checkpoint, mx::Dtype activations);

  kernels::Matrix matrix(const arch::MatrixSpec& spec);
  Linear linear(const arch::MatrixSpec& spec);
  kernels::ExpertWeights experts(const arch::ExpertsSpec& spec);

  /// A norm of the family's kind, ready to be used: where weights are stored less 1, that is added
  /// here, once.
  kernels::Norm norm(const arch::NormSpec& spec, const arch::Config& config);
  std::optional<kernels::Norm> norm(const std::optional<arch::NormSpec>& spec,
                                    const arch::Config& config);
  /// One whose weight is a tensor's / sqrt(hidden_size).
  kernels::Norm scaled_norm(const std::string& name, const arch::Config& config);
  /// The one after the last layer.
  kernels::Norm final_norm(const arch::NormSpec& spec, const arch::Config& config);

  kernels::CausalConv conv(const arch::ConvSpec& spec);
  /// Those of one channel after another, none of which has a bias, as one.
  kernels::CausalConv conv(const std::vector<arch::ConvSpec>& specs);

  mx::array vector(const std::string& name);
  mx::array floats(const std::string& name);  ///< the same in float32
  float scalar(const std::string& name);

  /// The float dtype the checkpoint was written in.
  mx::Dtype dtype_of(const arch::MatrixSpec& spec) const;

 private:
  mx::array tensor(const std::string& name);
  mx::array blocks(const arch::MatrixSpec& spec);
  const kernels::MappedArrays& arrays_of(const std::shared_ptr<const io::MappedFile>& file);
  mx::array norm_weight(const arch::NormSpec& spec);
  kernels::Norm plain_norm(const arch::NormSpec& spec, const arch::Config& config);

  const io::Checkpoint& checkpoint_;
  mx::Dtype activations_;
  io::Binding binding_;
  std::map<const io::MappedFile*, kernels::MappedArrays> files_;
};

}  // namespace convergio::model
