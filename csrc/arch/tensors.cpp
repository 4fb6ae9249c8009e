#include "arch/tensors.h"

#include <algorithm>
#include <string>

#include "arch/layer_faults.h"
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

/// A tensor's name without the number of its layer.
std::string role_of(std::string name) {
  std::erase_if(name, [](char c) { return c >= '0' && c <= '9'; });
  return name;
}

}  // namespace

TensorBook::TensorBook(const io::Checkpoint& checkpoint, const Config& config)
    : checkpoint_(checkpoint), config_(config) {
  for (const auto& [name, tensor] : checkpoint.tensors()) {
    used_.emplace(name, is_derived(name));
  }
}

bool TensorBook::has(const std::string& module) const {
  return checkpoint_.find(module + ".weight") != nullptr;
}

bool TensorBook::has_optional(const std::string& name) {
  if (checkpoint_.find(name) != nullptr) {
    found_.insert(role_of(name));
    return true;
  }
  lacking_.emplace(role_of(name), name);
  return false;
}

int TensorBook::width_of(const std::string& module, int fallback) const {
  const io::TensorView* tensor = checkpoint_.find(module + ".weight");
  return tensor == nullptr || tensor->shape.size() != 1 || tensor->shape[0] > (1 << 28)
             ? fallback
             : static_cast<int>(tensor->shape[0]);
}

const io::TensorView* TensorBook::find(const std::string& name) {
  const io::TensorView* tensor = checkpoint_.find(name);
  if (tensor == nullptr) {
    faults_.push_back("'" + name + "' is missing");
  } else {
    used_[name] = true;
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
  const bool affine = q.mode == "affine";
  const std::vector<std::int64_t> groups{matrix.rows, cols / q.group_size};
  expect(matrix.name + ".weight", {matrix.rows, cols * q.bits / 32}, {Dtype::U32});
  expect(matrix.name + ".scales", groups, affine ? kFloats : std::vector<Dtype>{Dtype::U8});
  if (affine) {
    expect(matrix.name + ".biases", groups, kFloats);
  }
}

MatrixSpec TensorBook::matrix(const std::string& module, int rows, int cols) {
  MatrixSpec matrix{.name = module, .rows = rows, .cols = cols, .quantization = {}};
  const auto override = config_.overrides.find(module);
  const bool overridden = override != config_.overrides.end();
  if (checkpoint_.find(module + ".scales") != nullptr) {
    matrix.quantization = overridden ? override->second : config_.quantization;
    if (!matrix.quantization) {
      faults_.push_back("'" + module + ".scales' is there but config.json's 'quantization' block " +
                        (overridden ? "says it is not quantized" : "is missing"));
      ignore(module);
      return matrix;
    }
  } else if (overridden && override->second) {
    matrix.quantization = override->second;
  } else if (const auto* weight = checkpoint_.find(module + ".weight");
             weight != nullptr && weight->dtype == Dtype::U32) {
    matrix.quantization =
        config_.quantization;  // packed numbers: it is the scales that are missing
  }
  if (matrix.quantization) {
    expect_quantized(matrix);
  } else {
    expect(module + ".weight", {rows, cols}, kFloats);
  }
  matrix.bias = has_optional(module + ".bias");
  if (matrix.bias) {
    expect(module + ".bias", {rows}, kFloats);
  }
  return matrix;
}

NormSpec TensorBook::norm(const std::string& module, int width) {
  expect(module + ".weight", {width}, kFloats);
  return {module, width};
}

void TensorBook::ignore(const std::string& module) {
  for (auto& [name, used] : used_) {
    used = used || (name.starts_with(module) && name[module.size()] == '.' &&
                    name.find('.', module.size() + 1) == std::string::npos);
  }
}

void TensorBook::close() const {
  std::vector<std::string> faults = faults_;
  for (const auto& [role, name] : lacking_) {
    if (found_.contains(role)) {
      faults.push_back("'" + name + "' is missing, which other layers have");
    }
  }
  for (const auto& [name, used] : used_) {
    if (!used) {
      faults.push_back(io::in_quotes(name) + " is not part of a " +
                       std::string(config_.family->model_type) + " model");
    }
  }
  if (faults.empty()) {
    return;
  }
  throw Error(ErrorKind::ModelCorrupt,
              "[model] the checkpoint does not fit its config.json: " + join_faults(faults) +
                  "; download the model again or use a checkpoint whose config.json matches.");
}

}  // namespace convergio::arch
