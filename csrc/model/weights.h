#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "arch/tensors.h"
#include "io/safetensors.h"
#include "kernels/alien.h"
#include "kernels/linear.h"

namespace convergio::model {

namespace mx = mlx::core;

using kernels::Linear;

/// Makes arrays of a checkpoint's tensors. Matrices stay where the file has them; vectors, which
/// are small, are copied to the dtype of the activations.
class Weights {
 public:
  Weights(const io::Checkpoint& checkpoint, mx::Dtype activations);

  kernels::Matrix matrix(const arch::MatrixSpec& spec);
  Linear linear(const arch::MatrixSpec& spec);

  /// A norm's weight, (width,); with `adds_one` 1 is added here, once.
  mx::array norm(const arch::NormSpec& spec, bool adds_one);

  /// The float dtype the checkpoint was written in.
  mx::Dtype dtype_of(const arch::MatrixSpec& spec) const;

 private:
  mx::array tensor(const std::string& name);
  mx::array vector(const std::string& name);

  const io::Checkpoint& checkpoint_;
  mx::Dtype activations_;
  std::map<const io::MappedFile*, kernels::AlienFile> files_;
};

}  // namespace convergio::model
