#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "arch/spec.h"
#include "io/safetensors.h"
#include "kernels/ops/quantize.h"

namespace convergio::model {

/// A folder's checkpoint, read to be converted: so many numbers at a time, and none of them is kept
/// in memory.
class Conversion {
 public:
  /// Reads config.json and the headers. Throws Error where they do not fit each other, or the
  /// engine does not run the model.
  static Conversion open(const std::filesystem::path& folder);

  const arch::ModelSpec& spec() const { return spec_; }
  const io::TensorView& tensor(const std::string& name) const;
  /// Its shape as the model has it, which is another where a matrix is stored transposed.
  std::vector<std::int64_t> shape(const std::string& name) const;

  /// Numbers [first, first + count) of a float tensor, in another float dtype; whole rows of a
  /// matrix that is stored transposed.
  std::vector<std::byte> cast(const std::string& name, std::int64_t first, std::int64_t count,
                              io::Dtype dtype) const;

  /// Rows [first, first + count) of a float matrix, or of several stacked, quantized; scales and
  /// biases are in `dtype`.
  kernels::QuantizedRows quantize(const std::string& name, std::int64_t first, std::int64_t count,
                                  io::Dtype dtype, const kernels::QuantizeOptions& options) const;

  /// Throws Error (ModelCorrupt) where a file was cut off since it was opened.
  void check_files() const { checkpoint_.check_sizes(); }

 private:
  Conversion(arch::ModelSpec spec, io::Checkpoint checkpoint)
      : spec_(std::move(spec)), checkpoint_(std::move(checkpoint)) {}

  /// Of a tensor that is stored transposed; null for others.
  const arch::MatrixSpec* transposed(const std::string& name) const;

  arch::ModelSpec spec_;
  io::Checkpoint checkpoint_;
};

}  // namespace convergio::model
