#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "io/error.h"
#include "io/json.h"

namespace convergio::arch {

/// How a quantized matrix is stored: config.json's "quantization" block, as mlx-lm writes it.
struct Quantization {
  std::string mode = "affine";  ///< a row of formats::kQuantizedFormats
  int group_size = 64;          ///< columns that share a scale
  int bits = 4;
  bool operator==(const Quantization&) const = default;
};

/// What the block says of a matrix, or what is wrong with that, which matters only once a matrix is
/// stored so. Neither: not quantized.
struct QuantizationEntry {
  std::optional<Quantization> quantization;
  std::optional<Error> fault;

  /// Throws the fault, where there is one.
  const std::optional<Quantization>& value() const;
};

/// "quantization", or "quantization_config" where that is missing, as in mlx-lm.
struct QuantizationBlock {
  bool is_there = false;
  bool foreign = false;  ///< another program's, which is not read
  QuantizationEntry general;
  /// By module name, such as "model.layers.0.mlp.down_proj".
  std::map<std::string, QuantizationEntry, std::less<>> modules;

  /// `published`: the "quant_method" whose tensors are read as they are published, which the file
  /// tells all of; empty: none.
  static QuantizationBlock read(const io::Json& config, std::string_view published);

  /// What is said of a module: by its name, else in general.
  const QuantizationEntry& of(const std::string& module) const;
};

}  // namespace convergio::arch
