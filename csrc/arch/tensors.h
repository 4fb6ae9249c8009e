#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "arch/config.h"
#include "io/safetensors.h"

namespace convergio::arch {

/// A matrix as the forward uses it: y = x · Wᵀ + bias, W of (rows, cols).
struct MatrixSpec {
  std::string name;  ///< of its module: the tensors are name.weight, name.scales, …
  int rows = 0;
  int cols = 0;
  std::optional<Quantization> quantization;  ///< where the file has scales
  bool bias = false;                         ///< where the file has name.bias
};

/// A norm's weight of `width`.
struct NormSpec {
  std::string name;
  int width = 0;
};

/// Looks roles up in a checkpoint, checks what it finds, and keeps account of what was asked for.
class TensorBook {
 public:
  TensorBook(const io::Checkpoint& checkpoint, const Config& config);

  bool has(const std::string& module) const;  ///< name.weight is there

  /// Whether a tensor is there that models may do without. A layer that lacks what other layers
  /// have is a fault.
  bool has_optional(const std::string& name);

  /// Each notes a fault (missing, misshapen, wrong type) rather than throwing.
  MatrixSpec matrix(const std::string& module, int rows, int cols);
  NormSpec norm(const std::string& module, int width);

  /// The length of a one-dimensional name.weight, or `fallback` where it is not there.
  int width_of(const std::string& module, int fallback) const;

  void ignore(const std::string& module);  ///< its tensors are known and not needed

  /// Throws one ModelCorrupt error that names every fault and every tensor nobody asked for.
  void close() const;

 private:
  const io::TensorView* find(const std::string& name);
  void expect(const std::string& name, const std::vector<std::int64_t>& shape,
              const std::vector<io::Dtype>& dtypes);
  void expect_quantized(const MatrixSpec& matrix);

  const io::Checkpoint& checkpoint_;
  const Config& config_;
  std::map<std::string, bool, std::less<>> used_;
  std::multimap<std::string, std::string> lacking_;  ///< role to the name that is not there
  std::set<std::string> found_;                      ///< optional roles that some layer has
  std::vector<std::string> faults_;
};

}  // namespace convergio::arch
