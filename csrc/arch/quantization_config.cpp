#include "arch/quantization_config.h"

#include "arch/fields.h"
#include "formats/quantization.h"
#include "io/text.h"

namespace convergio::arch {

using io::Json;

namespace {

const formats::QuantizedFormat& format_named(const std::string& mode) {
  const formats::QuantizedFormat* format = formats::quantized_format(mode);
  if (format == nullptr) {
    throw Error(ErrorKind::UnsupportedModel,
                "[config] config.json: the quantization mode is " + io::in_quotes(mode) +
                    "; supported modes: " + formats::modes_text() + ".");
  }
  return *format;
}

Quantization parse(const Json& block) {
  const Json* mode = present(block, "mode");
  const formats::QuantizedFormat& format =
      format_named(mode == nullptr ? "affine" : mode->as_string());
  const Quantization found{
      .mode = std::string(format.mode),
      .group_size = integer_or(block, "group_size", 1, 1024, format.default_group_size),
      .bits = integer_or(block, "bits", 1, 32, format.default_bits)};
  if (!format.supports(found.bits, found.group_size)) {
    throw Error(ErrorKind::UnsupportedModel,
                "[config] config.json: " + found.mode + " quantization with " +
                    std::to_string(found.bits) + " bits and groups of " +
                    std::to_string(found.group_size) +
                    "; supported: " + formats::supported_text(format) + ".");
  }
  return found;
}

QuantizationEntry entry_of(const Json& block) {
  try {
    return {.quantization = parse(block), .fault = {}};
  } catch (const Error& error) {
    return {.quantization = {}, .fault = error};
  }
}

/// "quant_method", which another program's block has.
const Json* method_of(const Json& block) {
  return block.is_object() ? block.find("quant_method") : nullptr;
}

/// Why a block that is another program's tells nothing.
std::optional<Error> why_foreign(const Json& block) {
  const Json* method = method_of(block);
  if (method == nullptr) {
    return std::nullopt;
  }
  return Error(ErrorKind::UnsupportedModel,
               "[config] config.json: 'quantization_config' has quant_method " +
                   method->describe() +
                   ", which is not MLX's format; use a checkpoint from mlx-community or convert "
                   "it with mlx_lm.convert.");
}

}  // namespace

const std::optional<Quantization>& QuantizationEntry::value() const {
  if (fault) {
    throw *fault;
  }
  return quantization;
}

QuantizationBlock QuantizationBlock::read(const Json& config, std::string_view published) {
  QuantizationBlock out;
  const Json* block = present(config, "quantization");
  if (block == nullptr) {
    block = present(config, "quantization_config");
    const Json* method = block == nullptr ? nullptr : method_of(*block);
    if (method != nullptr && method->is_string() && !published.empty() &&
        method->as_string() == published) {
      out.general.quantization = Quantization{.mode = "mxfp4", .group_size = 32, .bits = 4};
      return out;  // which is said of experts alone
    }
    if (block != nullptr) {
      out.general.fault = why_foreign(*block);
      out.foreign = out.general.fault.has_value();
    }
  }
  out.is_there = block != nullptr;
  if (block == nullptr || out.foreign) {
    return out;
  }
  out.general = entry_of(*block);
  if (!block->is_object()) {
    return out;
  }
  for (const auto& [name, value] : block->members()) {
    if (value.is_object()) {
      out.modules.emplace(name, entry_of(value));
    } else if (value.is_bool()) {
      out.modules.emplace(name, value.as_bool() ? out.general : QuantizationEntry{});
    }
  }
  return out;
}

const QuantizationEntry& QuantizationBlock::of(const std::string& module) const {
  const auto named = modules.find(module);
  return named == modules.end() ? general : named->second;
}

}  // namespace convergio::arch
