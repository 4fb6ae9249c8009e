#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "arch/config.h"
#include "io/safetensors.h"

namespace convergio::arch {

/// How a matrix's tensors are called and laid out: as those of a module, or as parameters of the
/// module around it, which stacked experts are published as.
enum class Form : std::uint8_t {
  Module,       ///< name.weight, name.scales, name.biases, name.bias
  Parameter,    ///< name, name_bias
  InputsFirst,  ///< likewise, each matrix transposed: (experts, cols, rows)
  Blocks,  ///< name_blocks, (experts, rows, cols / 32, 16) bytes of mxfp4; name_scales, name_bias
};

/// A matrix as the forward uses it: y = x · Wᵀ + bias, W of (rows, cols); or one of each of
/// `experts` experts, stacked: W of (experts, rows, cols), the bias of (experts, rows).
struct MatrixSpec {
  std::string name;
  int rows = 0;
  int cols = 0;
  std::optional<Quantization> quantization;  ///< where the file has scales
  bool bias = false;                         ///< where the file has name.bias
  int experts = 0;                           ///< 0: a single matrix
  Form form = Form::Module;

  /// The names of its tensors.
  std::string weight() const;
  std::string scales() const;
  std::string bias_name() const;
};

/// A convolution of each channel over its last `taps` numbers: weight (channels, taps) with an axis
/// of 1 behind or between, bias (channels,).
struct ConvSpec {
  std::string name;  ///< of its module
  int channels = 0;
  int taps = 0;
  bool bias = false;
};

/// A norm over `width` numbers.
struct NormSpec {
  std::string name;  ///< of its module; empty: it has no weight
  int width = 0;
  int heads = 0;       ///< > 0: a weight of its own for each head, (heads, width)
  bool split = false;  ///< and those are name.0.weight, name.1.weight, …
  bool bias = false;
};

/// Looks roles up in a checkpoint, checks what it finds, and keeps account of what was asked for.
class TensorBook {
 public:
  TensorBook(const io::Checkpoint& checkpoint, const Config& config);

  bool has(const std::string& module) const;      ///< name.weight is there
  bool has_any(const std::string& prefix) const;  ///< some tensor's name begins so
  bool has_tensor(const std::string& name) const;
  bool has_shape(const std::string& name, const std::vector<std::int64_t>& shape) const;

  /// Whether a tensor is there that models may do without. A layer that lacks what other layers
  /// have is a fault.
  bool has_optional(const std::string& name);
  /// The same, where what others have is told by a role.
  bool has_optional(const std::string& name, const std::string& role);

  /// Each notes a fault (missing, misshapen, wrong type) rather than throwing.
  MatrixSpec matrix(const std::string& module, int rows, int cols, int experts = 0);
  /// The same of stacked experts that are no module.
  MatrixSpec parameter(const std::string& name, int rows, int cols, int experts, Form form);
  void expect(const std::string& name, const std::vector<std::int64_t>& shape,
              const std::vector<io::Dtype>& dtypes);
  void expect_alike(const std::vector<MatrixSpec>& matrices);  ///< of one format, all with biases
  void expect_no_bias(const MatrixSpec& matrix);
  NormSpec norm(const std::string& module, int width);
  ConvSpec conv(const std::string& module, int channels, int taps, bool may_have_bias = true);

  /// The norm of q or k, if there is one: over each head, each with its own weights, or over the
  /// whole projection, which the file's shape tells.
  std::optional<NormSpec> head_norm(const std::string& module, int heads, int head_dim);

  /// Whether some convolution that was looked up is laid out as mlx-lm converts it.
  bool has_converted_conv() const { return has_converted_conv_; }

  void vector(const std::string& name, int width);
  /// Of one of these shapes; of the first where it is of none.
  void numbers(const std::string& name, const std::vector<std::vector<std::int64_t>>& shapes);
  void scalar(const std::string& name);  ///< a single number, of shape () or (1)

  void ignore(const std::string& module);        ///< its tensors are known and not needed
  void ignore_below(const std::string& prefix);  ///< likewise all whose names begin so

  /// The bytes of a matrix, its scales and biases.
  std::size_t bytes_of(const MatrixSpec& matrix) const;

  /// The bytes of tensors that are known and not needed.
  std::size_t unused_bytes() const;

  /// What was looked up so far and is there, in that order.
  const std::vector<MatrixSpec>& matrices() const { return matrices_; }
  const std::vector<std::string>& tensors() const { return tensors_; }

  /// Throws one ModelCorrupt error that names every fault and every tensor nobody asked for.
  void close() const;

 private:
  const io::TensorView* find(const std::string& name);
  void expect_quantized(const MatrixSpec& matrix);
  void expect_blocks(MatrixSpec& matrix);
  void expect_bias(MatrixSpec& matrix);
  std::optional<Quantization> stored(const MatrixSpec& matrix) const;

  const io::Checkpoint& checkpoint_;
  const Config& config_;
  enum class Use : std::uint8_t { Unknown, Needed, Ignored };
  std::map<std::string, Use, std::less<>> uses_;
  std::multimap<std::string, std::string> lacking_;  ///< role to the name that is not there
  std::set<std::string> found_;                      ///< optional roles that some layer has
  std::vector<std::string> faults_;
  std::vector<MatrixSpec> matrices_;
  std::vector<std::string> tensors_;
  bool has_converted_conv_ = false;
};

}  // namespace convergio::arch
