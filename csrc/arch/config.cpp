#include "arch/config.h"

#include <cmath>
#include <string>

#include "arch/rope_config.h"
#include "io/error.h"
#include "io/json.h"
#include "io/text.h"

namespace convergio::arch {

namespace {

using io::Json;

constexpr int kMaxDim = 1 << 22;
constexpr int kMaxLayers = 4096;
constexpr int kMaxContext = 1 << 28;
constexpr double kLeastFloat = 1e-30;  // far from where float32 ends, so that sums stay inside
constexpr double kMostFloat = 1e30;

[[noreturn]] void corrupt(const std::string& what) {
  throw Error(ErrorKind::ModelCorrupt,
              "[config] config.json: " + what + "; download the model again or correct the file.");
}

[[noreturn]] void corrupt(const Json& value, const std::string& is, const std::string& wanted) {
  throw Error(ErrorKind::ModelCorrupt, "[config] " + value.where() + " is " + is +
                                           ", which must be " + wanted +
                                           "; download the model again or correct the file.");
}

const Json* present(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

int integer_in(const Json& value, int low, int high) {
  const std::int64_t number = value.as_integer();
  if (number < low || number > high) {
    corrupt(value, std::to_string(number),
            "from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return static_cast<int>(number);
}

int need_integer(const Json& json, std::string_view key, int high) {
  const Json* value = present(json, key);
  if (value == nullptr) {
    corrupt("'" + std::string(key) + "' is missing");
  }
  return integer_in(*value, 1, high);
}

int integer_or(const Json& json, std::string_view key, int low, int high, int fallback) {
  const Json* value = present(json, key);
  return value == nullptr ? fallback : integer_in(*value, low, high);
}

/// A finite number above zero, or zero where that means "none", as the fallback does.
float positive_or(const Json& json, std::string_view key, double fallback) {
  const Json* value = present(json, key);
  if (value == nullptr) {
    return static_cast<float>(fallback);
  }
  const double number = value->as_number();
  const bool none = number == 0 && fallback == 0;
  const bool in_range = number >= kLeastFloat && number <= kMostFloat;  // false for NaN
  if (!in_range && !none) {
    corrupt(*value, value->describe(), "from 1e-30 to 1e30");
  }
  return static_cast<float>(number);
}

bool flag_or(const Json& json, std::string_view key, bool fallback) {
  const Json* value = present(json, key);
  return value == nullptr ? fallback : value->as_bool();
}

const Family& family_of(const Json& json) {
  const Json* type = present(json, "model_type");
  if (type == nullptr) {
    corrupt("'model_type' is missing");
  }
  if (const Family* family = find_family(type->as_string())) {
    return *family;
  }
  std::string known;
  for (const Family& row : families()) {
    known += (known.empty() ? "" : ", ") + std::string(row.model_type);
  }
  throw Error(ErrorKind::UnsupportedModel, "[config] config.json: 'model_type' is " +
                                               type->describe() +
                                               "; supported model types: " + known + ".");
}

Quantization parse_quantization(const Json& block) {
  Quantization quantization;
  if (const Json* mode = present(block, "mode")) {
    quantization.mode = mode->as_string();
  }
  const bool affine = quantization.mode == "affine";
  if (!affine && quantization.mode != "mxfp4" && quantization.mode != "mxfp8" &&
      quantization.mode != "nvfp4") {
    throw Error(ErrorKind::UnsupportedModel, "[config] config.json: the quantization mode is " +
                                                 io::in_quotes(quantization.mode) +
                                                 "; supported modes: affine, mxfp4, mxfp8, nvfp4.");
  }
  quantization.group_size = integer_or(block, "group_size", 1, 1024,
                                       affine ? 64 : (quantization.mode == "nvfp4" ? 16 : 32));
  quantization.bits = integer_or(block, "bits", 1, 32, quantization.mode == "mxfp8" ? 8 : 4);
  const auto refuse = [&](const std::string& supported) {
    throw Error(ErrorKind::UnsupportedModel,
                "[config] config.json: " + quantization.mode + " quantization with " +
                    std::to_string(quantization.bits) + " bits and groups of " +
                    std::to_string(quantization.group_size) + "; supported: " + supported + ".");
  };
  if (affine) {
    const bool bits_ok = quantization.bits >= 2 && quantization.bits <= 8 && quantization.bits != 7;
    const int group = quantization.group_size;
    if (!bits_ok || (group != 32 && group != 64 && group != 128)) {
      refuse("2, 3, 4, 5, 6 or 8 bits with groups of 32, 64 or 128");
    }
  } else if (quantization.mode == "mxfp4" &&
             (quantization.bits != 4 || quantization.group_size != 32)) {
    refuse("4 bits with groups of 32");
  } else if (quantization.mode == "mxfp8" &&
             (quantization.bits != 8 || quantization.group_size != 32)) {
    refuse("8 bits with groups of 32");
  } else if (quantization.mode == "nvfp4" &&
             (quantization.bits != 4 || quantization.group_size != 16)) {
    refuse("4 bits with groups of 16");
  }
  return quantization;
}

void read_quantization(const Json& json, Config& config) {
  const Json* block = present(json, "quantization");
  if (block == nullptr) {
    block = present(json, "quantization_config");
    if (block != nullptr && block->find("quant_method") != nullptr) {
      throw Error(ErrorKind::UnsupportedModel,
                  "[config] config.json: 'quantization_config' has quant_method " +
                      block->at("quant_method").describe() +
                      ", which is not MLX's format; use a checkpoint from mlx-community or convert "
                      "it with mlx_lm.convert.");
    }
  }
  if (block == nullptr) {
    return;
  }
  config.quantization = parse_quantization(*block);
  for (const auto& [name, value] : block->members()) {
    if (value.is_object()) {
      config.overrides.emplace(name, parse_quantization(value));
    } else if (value.is_bool()) {
      config.overrides.emplace(
          name, value.as_bool() ? config.quantization : std::optional<Quantization>());
    }
  }
}

/// Whether each layer sees a sliding window, once there is one.
std::vector<bool> sliding_layers(const Json& json, const Family& family, int layers,
                                 const std::vector<bool>& has_rope) {
  const auto count = static_cast<std::size_t>(layers);
  std::vector<bool> sliding(count, false);
  if (const Json* types = present(json, "layer_types")) {
    if (types->items().size() != count) {
      corrupt("'layer_types' lists " + std::to_string(types->items().size()) +
              " layers and "
              "'num_hidden_layers' is " +
              std::to_string(layers));
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::string& type = types->items()[i].as_string();
      if (type != "sliding_attention" && type != "full_attention") {
        throw Error(ErrorKind::UnsupportedModel,
                    "[config] config.json: 'layer_types' has " + types->items()[i].describe() +
                        "; supported: full_attention, sliding_attention.");
      }
      sliding[i] = type == "sliding_attention";
    }
    return sliding;
  }
  const bool used = flag_or(json, "use_sliding_window", false);
  const int from = integer_or(json, "max_window_layers", 0, kMaxLayers, layers);
  const int pattern =
      integer_or(json, "sliding_window_pattern", 1, kMaxLayers, family.sliding_pattern);
  for (int i = 0; i < layers; ++i) {
    bool slides = false;
    switch (family.sliding) {
      case Sliding::Never:
        break;
      case Sliding::All:
        slides = true;
        break;
      case Sliding::FromWindowLayer:
        slides = used && i >= from;
        break;
      case Sliding::EveryOther:
        slides = i % 2 == 0;
        break;
      case Sliding::WithoutRope:
        slides = used && !has_rope[static_cast<std::size_t>(i)];
        break;
      case Sliding::Pattern:
        slides = (i + 1) % pattern != 0;
        break;
    }
    sliding[static_cast<std::size_t>(i)] = slides;
  }
  return sliding;
}

/// Whether each layer has a rotary embedding: "no_rope_layers" holds 1 where it has.
std::vector<bool> rope_layers(const Json& json, const Family& family, int layers) {
  const auto count = static_cast<std::size_t>(layers);
  std::vector<bool> has_rope(count, true);
  if (const Json* flags = present(json, "no_rope_layers")) {
    if (flags->items().size() != count) {
      corrupt("'no_rope_layers' lists " + std::to_string(flags->items().size()) +
              " layers and 'num_hidden_layers' is " + std::to_string(layers));
    }
    for (std::size_t i = 0; i < count; ++i) {
      has_rope[i] = flags->items()[i].as_integer() != 0;
    }
    return has_rope;
  }
  const int interval =
      family.no_rope_interval == 0
          ? 0
          : integer_or(json, "no_rope_layer_interval", 1, kMaxLayers, family.no_rope_interval);
  for (int i = 0; interval > 0 && i < layers; ++i) {
    has_rope[static_cast<std::size_t>(i)] = (i + 1) % interval != 0;
  }
  return has_rope;
}

void read_layers(const Json& json, Config& config) {
  const int layers = need_integer(json, "num_hidden_layers", kMaxLayers);
  const bool windowless = !flag_or(json, "use_sliding_window", true);
  const int window = integer_or(json, "sliding_window", 1, kMaxContext, 0);
  const std::vector<bool> has_rope = rope_layers(json, *config.family, layers);
  const std::vector<bool> sliding = sliding_layers(json, *config.family, layers, has_rope);
  const bool local = config.ropes.size() > 1;
  for (std::size_t i = 0; i < static_cast<std::size_t>(layers); ++i) {
    LayerConfig layer;
    layer.window = sliding[i] && !windowless ? window : 0;
    const bool still = config.family->full_without_rope && window > 0 && !sliding[i];
    layer.rope = still || !has_rope[i] ? -1 : (sliding[i] && local ? 1 : 0);
    config.layers.push_back(layer);
  }
}

}  // namespace

Config Config::parse(std::string_view text) {
  const Json json = Json::parse(text, "config.json", {.allow_nan = true});
  if (!json.is_object()) {
    corrupt("it holds " + json.describe() + ", which must be an object");
  }
  Config config;
  config.family = &family_of(json);
  config.hidden_size = need_integer(json, "hidden_size", kMaxDim);
  config.intermediate_size = need_integer(json, "intermediate_size", kMaxDim);
  config.heads = need_integer(json, "num_attention_heads", 1 << 14);
  config.kv_heads = integer_or(json, "num_key_value_heads", 1, 1 << 14, config.heads);
  config.vocab_size = need_integer(json, "vocab_size", 1 << 26);
  config.context_window = need_integer(json, "max_position_embeddings", kMaxContext);
  config.head_dim = integer_or(json, "head_dim", 1, 1 << 14, config.hidden_size / config.heads);
  if (config.heads % config.kv_heads != 0) {
    corrupt("'num_attention_heads' is " + std::to_string(config.heads) +
            ", which must be a multiple of 'num_key_value_heads', " +
            std::to_string(config.kv_heads));
  }
  if (config.head_dim < 2 || config.head_dim % 2 != 0) {
    corrupt("a head has " + std::to_string(config.head_dim) +
            " dimensions, which must be even and at least 2");
  }
  config.norm_eps = positive_or(json, "rms_norm_eps", 1e-6);
  config.attention_softcap = positive_or(json, "attn_logit_softcapping", 0);
  config.logits_softcap = positive_or(json, "final_logit_softcapping", 0);
  config.logits_divisor = positive_or(json, "logits_scaling", 1);
  config.residual_multiplier = positive_or(json, "residual_multiplier", 1);
  config.embedding_multiplier = positive_or(
      json, "embedding_multiplier",
      config.family->embedding_scaled ? std::sqrt(static_cast<double>(config.hidden_size)) : 1.0);
  config.attention_scale =
      positive_or(json, "attention_multiplier",
                  1 / std::sqrt(positive_or(json, "query_pre_attn_scalar", config.head_dim)));

  const Json* activation = present(json, "hidden_activation");
  if (activation == nullptr) {
    activation = present(json, "hidden_act");
  }
  config.activation =
      activation == nullptr ? std::string(config.family->activation) : activation->as_string();

  if (const Json* tied = present(json, "tie_word_embeddings")) {
    config.tied = tied->as_bool();
  }
  config.ropes = read_ropes(json, config);
  read_layers(json, config);
  read_quantization(json, config);
  return config;
}

}  // namespace convergio::arch
