#include "model/weight_loader.h"

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "formats/quantization.h"
#include "io/error.h"
#include "kernels/mlx/primitive.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"
#include "model/float_dtype.h"

namespace convergio::model {

namespace {

mx::Dtype mlx_dtype(const io::TensorView& tensor) {
  if (const std::optional<mx::Dtype> floats = float_dtype(tensor.dtype)) {
    return *floats;
  }
  switch (tensor.dtype) {
    case io::Dtype::U32:
      return mx::uint32;
    case io::Dtype::U8:
      return mx::uint8;
    default:
      throw Error(ErrorKind::Internal, "[weights] '" + tensor.name + "' is " +
                                           std::string(io::name_of(tensor.dtype)) +
                                           ", which no weight can be.");
  }
}

/// The row of what config.json has checked.
const formats::QuantizedFormat& format_of(const arch::Quantization& quantization) {
  return *formats::quantized_format(quantization.mode);
}

}  // namespace

void unscale_bias(Linear& linear, float factor) {
  if (linear.bias && factor != 1.0F) {
    const mx::array exact = mx::divide(mx::astype(*linear.bias, mx::float32), mx::array(factor));
    linear.bias = mx::astype(exact, linear.bias->dtype());
  }
}

WeightLoader::WeightLoader(const io::Checkpoint& checkpoint, mx::Dtype activations)
    : checkpoint_(checkpoint), activations_(activations), binding_(kernels::device_binding()) {}

const kernels::MappedArrays& WeightLoader::arrays_of(
    const std::shared_ptr<const io::MappedFile>& file) {
  const auto found = files_.find(file.get());
  if (found != files_.end()) {
    return found->second;
  }
  std::vector<io::Extent> tensors;
  for (const auto& [name, view] : checkpoint_.tensors()) {
    if (view.file == file) {
      tensors.push_back({.begin = static_cast<std::size_t>(view.data - file->data()),
                         .bytes = view.bytes,
                         .item = io::size_of(view.dtype)});
    }
  }
  return files_.try_emplace(file.get(), file, tensors, binding_).first->second;
}

mx::array WeightLoader::tensor(const std::string& name) {
  const io::TensorView& view = *checkpoint_.find(name);
  const auto begin = static_cast<std::size_t>(view.data - view.file->data());
  const mx::Shape shape(view.shape.begin(), view.shape.end());
  return arrays_of(view.file).tensor(begin, shape, mlx_dtype(view));
}

/// (experts, rows, cols / 32, 16) bytes as the words that MLX packs such numbers in, which lie
/// alike.
mx::array WeightLoader::blocks(const arch::MatrixSpec& spec) {
  const io::TensorView& view = *checkpoint_.find(spec.weight());
  const auto begin = static_cast<std::size_t>(view.data - view.file->data());
  return arrays_of(view.file).tensor(begin, {spec.experts, spec.rows, spec.cols / 8}, mx::uint32);
}

mx::array WeightLoader::vector(const std::string& name) {
  return mx::astype(mx::copy(tensor(name)), activations_);
}

mx::array WeightLoader::floats(const std::string& name) {
  return mx::astype(mx::copy(tensor(name)), mx::float32);
}

kernels::CausalConv WeightLoader::conv(const arch::ConvSpec& spec) {
  kernels::CausalConv conv{.weight = kernels::conv_weight(tensor(spec.name + ".weight"))};
  if (spec.bias) {
    conv.bias = floats(spec.name + ".bias");
  }
  return conv;
}

kernels::CausalConv WeightLoader::conv(const std::vector<arch::ConvSpec>& specs) {
  if (specs.size() == 1) {
    return conv(specs.front());
  }
  std::vector<mx::array> all;
  for (const arch::ConvSpec& spec : specs) {
    all.push_back(conv(spec).weight);
  }
  mx::array joined = mx::contiguous(mx::concatenate(all, 1));
  mx::eval(joined);
  return {.weight = std::move(joined)};
}

kernels::Matrix WeightLoader::matrix(const arch::MatrixSpec& spec) {
  if (spec.form == arch::Form::InputsFirst) {
    throw Error(ErrorKind::UnsupportedModel,
                "[weights] '" + spec.name +
                    "' holds a row for each input, as its experts are stored transposed, where "
                    "a product reads a row for each output; make a folder of it with convergio-mlx "
                    "models quantize.");
  }
  kernels::Matrix matrix{
      .data = spec.form == arch::Form::Blocks ? blocks(spec) : tensor(spec.weight()),
      .scales = {},
      .biases = {},
      .rows = spec.rows,
      .cols = spec.cols};
  if (spec.quantization) {
    const formats::QuantizedFormat& format = format_of(*spec.quantization);
    matrix.format = format.format;
    matrix.group_size = spec.quantization->group_size;
    matrix.bits = spec.quantization->bits;
    // a GPU's product has the widest type of its operands, and a model one type throughout
    const auto of_groups = [&](const char* part) {
      const mx::array floats = tensor(spec.name + part);
      return activations_ == mx::float32 ? floats : mx::astype(floats, activations_);
    };
    if (format.has_biases()) {
      matrix.scales = of_groups(".scales");
      matrix.biases = of_groups(".biases");
    } else {
      matrix.scales = tensor(spec.scales());
    }
  }
  return matrix;
}

Linear WeightLoader::linear(const arch::MatrixSpec& spec) {
  Linear linear{.weight = matrix(spec), .bias = {}};
  if (spec.bias) {
    linear.bias = vector(spec.bias_name());
  }
  return linear;
}

kernels::ExpertWeights WeightLoader::experts(const arch::ExpertsSpec& spec) {
  const auto stack = [&](const arch::ExpertMatrices& matrices) {
    kernels::ExpertStack all{.parts = {}, .stacked = matrices.stacked};
    for (const arch::MatrixSpec& part : matrices.parts) {
      all.parts.push_back(linear(part));
    }
    return all;
  };
  kernels::ExpertWeights weights{.gate_up = {},
                                 .interleaved = spec.interleaved,
                                 .down = stack(spec.down),
                                 .correction = {},
                                 .scales = {}};
  for (const arch::ExpertMatrices& matrices : spec.gate_up) {
    weights.gate_up.push_back(stack(matrices));
  }
  const auto numbers = [&](const std::string& name) -> std::optional<mx::array> {
    if (name.empty()) {
      return std::nullopt;
    }
    return mx::flatten(floats(name));
  };
  weights.correction = numbers(spec.correction);
  weights.scales = numbers(spec.scales);
  return weights;
}

float WeightLoader::scalar(const std::string& name) {
  const io::TensorView& view = *checkpoint_.find(name);
  const auto begin = static_cast<std::size_t>(view.data - view.file->data());
  const mx::array number(kernels::memory(view.bytes), {}, mlx_dtype(view));
  view.file->read(begin, view.bytes, const_cast<std::byte*>(number.data<std::byte>()));
  return mx::astype(number, mx::float32).item<float>();
}

mx::array WeightLoader::norm_weight(const arch::NormSpec& spec) {
  if (spec.name.empty()) {
    return mx::ones({spec.width}, activations_);
  }
  if (!spec.split) {
    return vector(spec.name + ".weight");
  }
  std::vector<mx::array> heads;
  for (int head = 0; head < spec.heads; ++head) {
    heads.push_back(vector(spec.name + "." + std::to_string(head) + ".weight"));
  }
  return mx::stack(heads);
}

kernels::Norm WeightLoader::norm(const arch::NormSpec& spec, const arch::Config& config) {
  kernels::Norm norm = plain_norm(spec, config);
  if (config.norms_add_one && !spec.name.empty()) {
    norm.weight = mx::add(norm.weight, mx::array(1.0F, activations_));
  }
  return norm;
}

std::optional<kernels::Norm> WeightLoader::norm(const std::optional<arch::NormSpec>& spec,
                                                const arch::Config& config) {
  return spec ? std::optional(norm(*spec, config)) : std::nullopt;
}

kernels::Norm WeightLoader::plain_norm(const arch::NormSpec& spec, const arch::Config& config) {
  kernels::Norm norm{.weight = norm_weight(spec),
                     .eps = config.norm_eps,
                     .subtracts_mean = config.family->layer_norm};
  if (spec.bias) {
    norm.bias = vector(spec.name + ".bias");
  }
  return norm;
}

kernels::Norm WeightLoader::scaled_norm(const std::string& name, const arch::Config& config) {
  const float root = std::sqrt(static_cast<float>(config.hidden_size));
  return {.weight = mx::divide(vector(name), mx::array(root, activations_)),
          .eps = config.norm_eps};
}

kernels::Norm WeightLoader::final_norm(const arch::NormSpec& spec, const arch::Config& config) {
  return config.family->final_norm_plain ? plain_norm(spec, config) : norm(spec, config);
}

mx::Dtype WeightLoader::dtype_of(const arch::MatrixSpec& spec) const {
  // a format without float scales has no float at all: such models are published for bfloat16
  if (spec.quantization && !format_of(*spec.quantization).has_biases()) {
    return mx::bfloat16;
  }
  return mlx_dtype(*checkpoint_.find(spec.quantization ? spec.scales() : spec.weight()));
}

}  // namespace convergio::model
