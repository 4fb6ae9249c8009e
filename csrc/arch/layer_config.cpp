#include "arch/layer_config.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

#include "arch/experts_config.h"
#include "arch/fields.h"
#include "arch/layer_kinds.h"
#include "io/error.h"

namespace convergio::arch {

namespace {

using io::Json;

void check_count(const char* key, std::size_t listed, int layers) {
  if (listed != static_cast<std::size_t>(layers)) {
    corrupt("'" + std::string(key) + "' lists " + std::to_string(listed) +
            " layers and 'num_hidden_layers' is " + std::to_string(layers));
  }
}

bool uses_window(const Json& json, const Family& family) {
  const bool switched =
      family.sliding == Sliding::FromWindowLayer || family.sliding == Sliding::WithoutRope ||
      family.sliding == Sliding::AllIfUsed || family.sliding == Sliding::EvenBelowWindowLayer;
  if (switched) {
    return flag_or(json, "use_sliding_window", false);
  }
  // llama's class has no window; one that is listed by layer is used, as in mlx-lm
  return family.sliding != Sliding::Never ||
         (family.reads_layer_types && present(json, "layer_types") != nullptr);
}

/// "sliding_window_pattern" is null or 0, and no "layer_types" say more: no layer slides.
bool has_no_pattern(const Json& json, const Family& family) {
  const Json* pattern = json.find("sliding_window_pattern");
  return family.sliding == Sliding::Pattern && present(json, "layer_types") == nullptr &&
         pattern != nullptr &&
         (pattern->is_null() || (pattern->is_integer() && pattern->as_integer() == 0));
}

/// Tokens; 0: none, which null, 0 and -1 are too.
int window_of(const Json& json, const Family& family) {
  const char* key = family.chunked ? "attention_chunk_size" : "sliding_window";
  if (!uses_window(json, family) || has_no_pattern(json, family) || is_none(json, key)) {
    return 0;
  }
  const Json* value = json.find(key);
  if (value == nullptr) {
    return family.defaults.sliding_window;
  }
  const double number = value->as_number();
  if (number == 0 || number == -1) {
    return 0;
  }
  return static_cast<int>(std::min<double>(tokens_of(*value), kMostTokens));
}

/// Whether each layer has a rotary embedding: "no_rope_layers" holds 1 where it has.
std::vector<bool> rope_layers(const Json& json, const Family& family, int layers) {
  const auto count = static_cast<std::size_t>(layers);
  std::vector<bool> has_rope(count, true);
  if (family.defaults.no_rope_layer_interval == 0) {
    return has_rope;
  }
  const Json* flags = present(json, "no_rope_layers");
  if (flags != nullptr && !flags->items().empty()) {
    check_count("no_rope_layers", flags->items().size(), layers);
    for (std::size_t i = 0; i < count; ++i) {
      const Json& flag = flags->items()[i];
      has_rope[i] = flag.is_bool() ? flag.as_bool() : flag.as_integer() != 0;
    }
    return has_rope;
  }
  const int interval = integer_or(json, "no_rope_layer_interval", 1, kMaxLayers,
                                  family.defaults.no_rope_layer_interval);
  for (int i = 0; i < layers; ++i) {
    has_rope[static_cast<std::size_t>(i)] = (i + 1) % interval != 0;
  }
  return has_rope;
}

/// "layer_types", as flags.
std::vector<bool> listed_layers(const Json& types, const Family& family, int layers) {
  const std::string windowed = family.chunked ? "chunked_attention" : "sliding_attention";
  check_count("layer_types", types.items().size(), layers);
  std::vector<bool> sliding;
  for (const Json& type : types.items()) {
    if (type.as_string() != windowed && type.as_string() != "full_attention") {
      throw Error(ErrorKind::UnsupportedModel,
                  "[config] config.json: 'layer_types' has " + type.describe() +
                      "; supported: full_attention, " + windowed + ".");
    }
    sliding.push_back(type.as_string() == windowed);
  }
  return sliding;
}

/// One period of the layers that slide.
std::vector<bool> pattern_of(const Json& json, const Family& family) {
  int period = family.defaults.sliding_window_pattern;
  if (family.sliding == Sliding::Pattern) {
    const Json* value = present(json, "sliding_window_pattern");
    if (value != nullptr && value->is_string()) {
      const std::string& letters = value->as_string();
      if (letters.empty() || letters.find_first_not_of("LG") != std::string::npos) {
        corrupt(*value, "a number of layers or letters L (sliding) and G (full)");
      }
      std::vector<bool> pattern;
      std::ranges::transform(letters, std::back_inserter(pattern), [](char c) { return c == 'L'; });
      return pattern;
    }
    period = integer_or(json, "sliding_window_pattern", 1, kMaxLayers, period);
  }
  std::vector<bool> pattern(static_cast<std::size_t>(period), true);
  pattern.back() = false;
  return pattern;
}

/// Whether each layer sees a sliding window, once there is one.
std::vector<bool> sliding_layers(const Json& json, const Family& family, int layers,
                                 const std::vector<bool>& has_rope) {
  const Json* types = present(json, "layer_types");
  if (family.reads_layer_types && types != nullptr) {
    return listed_layers(*types, family, layers);
  }
  const auto count = static_cast<std::size_t>(layers);
  std::vector<bool> sliding(count, false);
  switch (family.sliding) {
    case Sliding::Never:
      break;
    case Sliding::All:
    case Sliding::AllIfUsed:
      sliding.assign(count, true);
      break;
    case Sliding::EvenBelowWindowLayer:
    case Sliding::FromWindowLayer: {
      const Json* from = present(json, "max_window_layers");
      const auto first = from == nullptr ? family.defaults.max_window_layers : from->as_integer();
      for (std::size_t i = 0; i < count; ++i) {
        const bool above = static_cast<std::int64_t>(i) >= first;
        sliding[i] = family.sliding == Sliding::FromWindowLayer ? above : !above && i % 2 == 0;
      }
      break;
    }
    case Sliding::WithoutRope:
      sliding = has_rope;
      sliding.flip();
      break;
    case Sliding::WithRope:
      sliding = has_rope;
      break;
    case Sliding::AllButEach:
    case Sliding::Pattern: {
      const std::vector<bool> pattern = pattern_of(json, family);
      for (std::size_t i = 0; i < count; ++i) {
        sliding[i] = pattern[i % pattern.size()];
      }
      break;
    }
  }
  return sliding;
}

/// Whether layers are rotated at all.
bool has_rope(const Json& json, const Family& family) {
  if (family.null_theta_is_none) {
    const Json* block = present(json, "rope_scaling");
    block = block == nullptr ? present(json, "rope_parameters") : block;
    const bool inside = block != nullptr && block->is_object() && block->find("rope_theta");
    return !is_none(inside ? *block : json, "rope_theta");
  }
  if (!family.reads_position_type) {
    return !family.without_rope;
  }
  const Json* type = present(json, "position_embedding_type");
  if (type != nullptr && type->as_string() != "rope" && type->as_string() != "nope") {
    throw Error(ErrorKind::UnsupportedModel, "[config] " + type->where() + " is " +
                                                 type->describe() + "; supported: nope, rope.");
  }
  return type != nullptr && type->as_string() == "rope";
}

}  // namespace

std::vector<LayerConfig> read_layers(const Json& json, const Family& family) {
  if (family.reads_layer_kinds) {
    return read_layer_kinds(json);
  }
  const int layers =
      integer_or(json, family.layers_key, 1, kMaxLayers, family.defaults.num_hidden_layers);
  std::vector<bool> rotates = rope_layers(json, family, layers);
  if (!has_rope(json, family)) {
    rotates.assign(rotates.size(), false);
  }
  const int window = window_of(json, family);
  std::vector<bool> sliding(static_cast<std::size_t>(layers), false);
  const bool matters = window > 0 || family.local_rope;
  if (matters && !has_no_pattern(json, family)) {
    sliding = sliding_layers(json, family, layers, rotates);
  }
  const std::vector<bool> sparse = sparse_layers(json, family.experts, layers);
  std::vector<LayerConfig> out;
  for (std::size_t i = 0; i < sliding.size(); ++i) {
    const bool still = family.full_without_rope && window > 0 && !sliding[i];
    LayerConfig layer;
    layer.slides = sliding[i];
    layer.window = sliding[i] ? window : 0;
    layer.chunked = family.chunked;
    layer.rope = !rotates[i] || still ? -1 : (sliding[i] && family.local_rope ? 1 : 0);
    layer.sparse = sparse[i];
    out.push_back(layer);
  }
  return out;
}

}  // namespace convergio::arch
