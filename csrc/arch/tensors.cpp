#include "arch/tensors.h"

#include <algorithm>
#include <array>
#include <string>

#include "arch/layer_faults.h"
#include "formats/quantization.h"
#include "io/error.h"
#include "io/text.h"

namespace convergio::arch {

namespace {

using io::Dtype;

const std::vector<Dtype> kFloats{Dtype::F32, Dtype::F16, Dtype::BF16};

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + ")";
}

std::string dtypes_text(const std::vector<Dtype>& dtypes) {
  std::string text;
  for (const Dtype dtype : dtypes) {
    text += (text.empty() ? "" : " or ") + std::string(io::name_of(dtype));
  }
  return text;
}

/// Precomputed by some exporters; the engine computes its own.
bool is_derived(std::string_view name) { return name.ends_with("rotary_emb.inv_freq"); }

/// Parts of a multimodal checkpoint that are no text model, and heads that draft tokens.
constexpr std::array<std::string_view, 15> kOtherParts{"vision_tower.",
                                                       "vision_model.",
                                                       "vision_embedder.",
                                                       "vision_adapter.",
                                                       "vision_projection.",
                                                       "visual.",
                                                       "audio_tower.",
                                                       "audio_model.",
                                                       "embed_vision.",
                                                       "embed_audio.",
                                                       "multi_modal_projector.",
                                                       "mm_projector.",
                                                       "image_newline.",
                                                       "mtp.",
                                                       "mtp_"};

bool is_of_other_part(std::string_view name) {
  for (const std::string_view prefix : {"model.", "language_model."}) {
    if (name.starts_with(prefix)) {
      name.remove_prefix(prefix.size());
    }
  }
  return std::ranges::any_of(kOtherParts,
                             [&](std::string_view part) { return name.starts_with(part); });
}

/// The shape of a matrix's tensor whose rows have so many items.
std::vector<std::int64_t> shape_of(const MatrixSpec& matrix, std::int64_t row) {
  return matrix.experts == 0 ? std::vector<std::int64_t>{matrix.rows, row}
                             : std::vector<std::int64_t>{matrix.experts, matrix.rows, row};
}

/// A tensor's name without the number of its layer.
std::string role_of(std::string name) {
  std::erase_if(name, [](char c) { return c >= '0' && c <= '9'; });
  return name;
}

}  // namespace

std::string MatrixSpec::weight() const {
  switch (form) {
    case Form::Parameter:
    case Form::InputsFirst:
      return name;
    case Form::Blocks:
      return name + "_blocks";
    case Form::Module:
      break;
  }
  return name + ".weight";
}

std::string MatrixSpec::scales() const {
  return name + (form == Form::Module ? ".scales" : "_scales");
}

std::string MatrixSpec::bias_name() const {
  return name + (form == Form::Module ? ".bias" : "_bias");
}

TensorBook::TensorBook(const io::Checkpoint& checkpoint, const Config& config)
    : checkpoint_(checkpoint), config_(config) {
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    const bool known = is_derived(name) || is_of_other_part(name);
    uses_.emplace(name, known ? Use::Ignored : Use::Unknown);
  }
}

bool TensorBook::has_tensor(const std::string& name) const {
  return checkpoint_.find(name) != nullptr;
}

bool TensorBook::has_shape(const std::string& name, const std::vector<std::int64_t>& shape) const {
  const io::TensorView* tensor = checkpoint_.find(name);
  return tensor != nullptr && tensor->shape == shape;
}

bool TensorBook::has(const std::string& module) const {
  return checkpoint_.find(module + ".weight") != nullptr;
}

bool TensorBook::has_any(const std::string& prefix) const {
  const auto first = checkpoint_.tensors().lower_bound(prefix);
  return first != checkpoint_.tensors().end() && first->first.starts_with(prefix);
}

bool TensorBook::has_optional(const std::string& name) { return has_optional(name, role_of(name)); }

bool TensorBook::has_optional(const std::string& name, const std::string& role) {
  if (checkpoint_.find(name) != nullptr) {
    found_.insert(role);
    return true;
  }
  lacking_.emplace(role, name);
  return false;
}

const io::TensorView* TensorBook::find(const std::string& name) {
  const io::TensorView* tensor = checkpoint_.find(name);
  if (tensor == nullptr) {
    faults_.push_back("'" + name + "' is missing");
  } else {
    uses_[name] = Use::Needed;
    tensors_.push_back(name);
  }
  return tensor;
}

void TensorBook::expect(const std::string& name, const std::vector<std::int64_t>& shape,
                        const std::vector<Dtype>& dtypes) {
  const io::TensorView* tensor = find(name);
  if (tensor == nullptr) {
    return;
  }
  if (tensor->shape != shape) {
    faults_.push_back("'" + name + "' has shape " + shape_text(tensor->shape) + ", expected " +
                      shape_text(shape));
  }
  if (std::ranges::find(dtypes, tensor->dtype) == dtypes.end()) {
    faults_.push_back("'" + name + "' is " + std::string(io::name_of(tensor->dtype)) +
                      ", expected " + dtypes_text(dtypes));
  }
}

void TensorBook::expect_quantized(const MatrixSpec& matrix) {
  const Quantization& q = *matrix.quantization;
  const std::int64_t cols = matrix.cols;
  if (cols % q.group_size != 0 || cols * q.bits % 32 != 0) {
    faults_.push_back("'" + matrix.name + "' has " + std::to_string(cols) +
                      " columns, which groups of " + std::to_string(q.group_size) +
                      " don't divide");
    ignore(matrix.name);
    return;
  }
  const formats::QuantizedFormat& format = *formats::quantized_format(q.mode);
  const std::vector<std::int64_t> groups = shape_of(matrix, cols / q.group_size);
  expect(matrix.name + ".weight", shape_of(matrix, cols * q.bits / 32), {Dtype::U32});
  expect(matrix.name + ".scales", groups,
         format.scale == formats::Scale::Float ? kFloats : std::vector<Dtype>{Dtype::U8});
  if (format.has_biases()) {
    expect(matrix.name + ".biases", groups, kFloats);
  }
}

/// How the file has a matrix quantized, which its shapes tell; nullopt where they tell of none that
/// is supported.
std::optional<Quantization> TensorBook::stored(const MatrixSpec& matrix) const {
  const int cols = matrix.cols;
  const std::size_t axes = matrix.experts == 0 ? 2 : 3;
  const io::TensorView* weight = checkpoint_.find(matrix.name + ".weight");
  const io::TensorView* scales = checkpoint_.find(matrix.name + ".scales");
  if (weight == nullptr || scales == nullptr || weight->shape.size() != axes ||
      scales->shape.size() != axes) {
    return std::nullopt;
  }
  const std::int64_t words = weight->shape.back();
  const std::int64_t groups = scales->shape.back();
  if (groups < 1 || cols % groups != 0 || words > cols || words * 32 % cols != 0) {
    return std::nullopt;
  }
  const auto group_size = static_cast<int>(cols / groups);
  const auto bits = static_cast<int>(words * 32 / cols);
  const bool bytes = scales->dtype == Dtype::U8;
  const bool biases = checkpoint_.find(matrix.name + ".biases") != nullptr;
  for (const formats::QuantizedFormat& format : formats::kQuantizedFormats) {
    if ((format.scale == formats::Scale::Byte) == bytes && format.has_biases() == biases &&
        format.supports(bits, group_size)) {
      return Quantization{.mode = std::string(format.mode), .group_size = group_size, .bits = bits};
    }
  }
  return std::nullopt;
}

MatrixSpec TensorBook::matrix(const std::string& module, int rows, int cols, int experts) {
  MatrixSpec matrix{
      .name = module, .rows = rows, .cols = cols, .quantization = {}, .experts = experts};
  const QuantizationBlock& block = config_.quantization;
  const bool named = block.modules.contains(module);
  const auto* weight = checkpoint_.find(module + ".weight");
  if (checkpoint_.find(module + ".scales") != nullptr) {
    // what the block says in general may not hold for each matrix; the file tells
    const auto as_stored = named ? std::nullopt : stored(matrix);
    matrix.quantization = block.is_there && as_stored ? as_stored : block.of(module).value();
    if (!matrix.quantization) {
      faults_.push_back("'" + module + ".scales' is there but config.json's 'quantization' block " +
                        (named ? "says it is not quantized" : "is missing"));
      ignore(module);
      return matrix;
    }
  } else if (named) {
    matrix.quantization = block.of(module).value();
  } else if (weight != nullptr && weight->dtype == Dtype::U32) {
    matrix.quantization = block.general.value();  // packed numbers: it is the scales that miss
  }
  if (matrix.quantization) {
    expect_quantized(matrix);
  } else {
    expect(module + ".weight", shape_of(matrix, cols), kFloats);
  }
  expect_bias(matrix);
  matrices_.push_back(matrix);
  return matrix;
}

void TensorBook::expect_bias(MatrixSpec& matrix) {
  matrix.bias = has_optional(matrix.bias_name());
  if (matrix.bias) {
    const std::int64_t rows = matrix.rows;
    expect(matrix.bias_name(),
           matrix.experts == 0 ? std::vector<std::int64_t>{rows}
                               : std::vector<std::int64_t>{matrix.experts, rows},
           kFloats);
  }
}

void TensorBook::expect_blocks(MatrixSpec& matrix) {
  matrix.quantization = Quantization{.mode = "mxfp4", .group_size = 32, .bits = 4};
  if (matrix.cols % matrix.quantization->group_size != 0) {
    faults_.push_back("'" + matrix.name + "' has " + std::to_string(matrix.cols) +
                      " columns, which groups of 32 don't divide");
  }
  std::vector<std::int64_t> groups = shape_of(matrix, matrix.cols / 32);
  expect(matrix.scales(), groups, {Dtype::U8});
  groups.push_back(16);  // bytes, of two numbers each
  expect(matrix.weight(), groups, {Dtype::U8});
}

MatrixSpec TensorBook::parameter(const std::string& name, int rows, int cols, int experts,
                                 Form form) {
  MatrixSpec matrix{.name = name,
                    .rows = rows,
                    .cols = cols,
                    .quantization = {},
                    .experts = experts,
                    .form = form};
  if (form == Form::Blocks) {
    expect_blocks(matrix);
  } else if (form == Form::InputsFirst) {
    expect(name, {experts, cols, rows}, kFloats);
  } else {
    expect(name, {experts, rows, cols}, kFloats);
  }
  expect_bias(matrix);
  matrices_.push_back(matrix);
  return matrix;
}

void TensorBook::expect_alike(const std::vector<MatrixSpec>& matrices) {
  const MatrixSpec& first = matrices.front();
  const auto dtype_of = [&](const MatrixSpec& matrix) {
    const io::TensorView* tensor =
        checkpoint_.find(matrix.quantization ? matrix.scales() : matrix.weight());
    return tensor == nullptr ? std::nullopt : std::optional(tensor->dtype);
  };
  for (const MatrixSpec& matrix : matrices) {
    const bool missing = !dtype_of(matrix) || !dtype_of(first);  // which has been noted
    if (!missing && (matrix.quantization != first.quantization || matrix.bias != first.bias ||
                     dtype_of(matrix) != dtype_of(first))) {
      faults_.push_back("'" + matrix.name + "' is stored in another way than '" + first.name + "'");
    }
  }
}

void TensorBook::expect_no_bias(const MatrixSpec& matrix) {
  if (matrix.bias) {
    faults_.push_back("'" + matrix.bias_name() + "' is not part of a " +
                      std::string(config_.family->model_type) + " model");
  }
}

NormSpec TensorBook::norm(const std::string& module, int width) {
  expect(module + ".weight", {width}, kFloats);
  NormSpec norm{.name = module, .width = width};
  norm.bias = config_.family->layer_norm && has_optional(module + ".bias", "the bias of a norm");
  if (norm.bias) {
    expect(module + ".bias", {width}, kFloats);
  }
  return norm;
}

/// (channels, taps, 1) as mlx-lm converts it, (channels, 1, taps) as it is published.
ConvSpec TensorBook::conv(const std::string& module, int channels, int taps, bool may_have_bias) {
  const std::vector<std::int64_t> published{channels, 1, taps};
  const bool as_published = has_shape(module + ".weight", published);
  has_converted_conv_ = has_converted_conv_ || !as_published;
  expect(module + ".weight",
         as_published ? published : std::vector<std::int64_t>{channels, taps, 1}, kFloats);
  ConvSpec conv{.name = module, .channels = channels, .taps = taps};
  conv.bias = may_have_bias && has_optional(module + ".bias");
  if (conv.bias) {
    expect(module + ".bias", {channels}, kFloats);
  }
  return conv;
}

std::optional<NormSpec> TensorBook::head_norm(const std::string& module, int heads, int head_dim) {
  if (!has_optional(module + ".weight")) {
    return std::nullopt;
  }
  if (module.ends_with(".0")) {
    const std::string list = module.substr(0, module.size() - 2);
    for (int head = 0; head < heads; ++head) {
      expect(list + "." + std::to_string(head) + ".weight", {head_dim}, kFloats);
    }
    return NormSpec{.name = list, .width = head_dim, .heads = heads, .split = true};
  }
  const std::vector<std::int64_t>& shape = checkpoint_.find(module + ".weight")->shape;
  if (shape.size() == 2) {
    expect(module + ".weight", {heads, head_dim}, kFloats);
    return NormSpec{.name = module, .width = head_dim, .heads = heads};
  }
  const int whole = heads * head_dim;
  return norm(module, shape == std::vector<std::int64_t>{whole} ? whole : head_dim);
}

void TensorBook::vector(const std::string& name, int width) { expect(name, {width}, kFloats); }

void TensorBook::numbers(const std::string& name,
                         const std::vector<std::vector<std::int64_t>>& shapes) {
  const auto found = std::ranges::find_if(
      shapes, [&](const std::vector<std::int64_t>& shape) { return has_shape(name, shape); });
  expect(name, found == shapes.end() ? shapes.front() : *found, kFloats);
}

void TensorBook::scalar(const std::string& name) {
  const io::TensorView* tensor = checkpoint_.find(name);
  expect(name,
         tensor != nullptr && tensor->shape.empty() ? std::vector<std::int64_t>{}
                                                    : std::vector<std::int64_t>{1},
         kFloats);
}

void TensorBook::ignore(const std::string& module) {
  for (auto& [name, use] : uses_) {
    if (use == Use::Unknown && name.starts_with(module) && name[module.size()] == '.' &&
        name.find('.', module.size() + 1) == std::string::npos) {
      use = Use::Ignored;
    }
  }
}

void TensorBook::ignore_below(const std::string& prefix) {
  for (auto& [name, use] : uses_) {
    use = use == Use::Unknown && name.starts_with(prefix) ? Use::Ignored : use;
  }
}

std::size_t TensorBook::bytes_of(const MatrixSpec& matrix) const {
  std::size_t bytes = 0;
  for (const std::string& part :
       {matrix.weight(), matrix.scales(), matrix.name + ".biases", matrix.bias_name()}) {
    const io::TensorView* tensor = checkpoint_.find(part);
    bytes += tensor == nullptr ? 0 : tensor->bytes;
  }
  return bytes;
}

std::size_t TensorBook::unused_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [name, use] : uses_) {
    bytes += use == Use::Ignored ? checkpoint_.find(name)->bytes : 0;
  }
  return bytes;
}

void TensorBook::close() const {
  std::vector<std::string> faults = faults_;
  for (const auto& [role, name] : lacking_) {
    if (found_.contains(role)) {
      faults.push_back("'" + name + "' is missing, which other layers have");
    }
  }
  for (const auto& [name, use] : uses_) {
    if (use == Use::Unknown) {
      faults.push_back(io::in_quotes(name) + " is not part of a " +
                       std::string(config_.family->model_type) + " model");
    }
  }
  if (faults.empty()) {
    return;
  }
  if (config_.quantization.foreign) {
    throw *config_.quantization.general.fault;  // which is why nothing fits
  }
  throw Error(ErrorKind::ModelCorrupt,
              "[model] the checkpoint does not fit its config.json: " + join_faults(faults) +
                  "; download the model again or use a checkpoint whose config.json matches.");
}

}  // namespace convergio::arch
