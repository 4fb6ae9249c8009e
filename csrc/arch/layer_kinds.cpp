#include "arch/layer_kinds.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "arch/fields.h"
#include "io/error.h"

namespace convergio::arch {

namespace {

using io::Json;

/// What a layer is, and how it is called: in lists, in older ones, and in the pattern.
struct Kind {
  std::string_view name, older;
  char letter;
  bool attends, feeds, sparse;
};
constexpr std::array kKinds{
    Kind{"full_attention", "attention", '*', true, false, false},
    Kind{"linear_attention", "mamba", 'M', false, false, false},
    Kind{"mlp", "", '-', false, true, false},
    Kind{"moe", "", 'E', false, true, true},
};
/// Of a config.json that says nothing: one of each.
constexpr std::string_view kDefault = "ME*-";

LayerConfig layer_of(const Kind& kind) {
  LayerConfig layer;
  layer.attends = kind.attends;
  layer.feeds = kind.feeds;
  layer.sparse = kind.sparse;
  layer.rope = -1;
  return layer;
}

const Kind* kind_of(char letter) {
  const auto* found = std::ranges::find(kKinds, letter, &Kind::letter);
  return found == kKinds.end() ? nullptr : found;
}

void check_count(const Json& value, std::size_t layers) {
  if (layers < 1 || layers > static_cast<std::size_t>(kMaxLayers)) {
    corrupt(value, "a list of 1 to " + std::to_string(kMaxLayers) + " layers");
  }
}

std::vector<LayerConfig> listed(const Json& types) {
  check_count(types, types.items().size());
  std::vector<LayerConfig> layers;
  for (const Json& type : types.items()) {
    const std::string& name = type.as_string();
    const auto* found = std::ranges::find_if(kKinds, [&](const Kind& kind) {
      return name == kind.name || (!name.empty() && name == kind.older);
    });
    if (found == kKinds.end()) {
      throw Error(ErrorKind::UnsupportedModel,
                  "[config] " + type.where() + " is " + type.describe() +
                      "; supported: full_attention, linear_attention, mlp, moe.");
    }
    layers.push_back(layer_of(*found));
  }
  return layers;
}

std::vector<LayerConfig> lettered(const Json& pattern) {
  const std::string& letters = pattern.as_string();
  check_count(pattern, letters.size());
  std::vector<LayerConfig> layers;
  for (const char letter : letters) {
    const Kind* kind = kind_of(letter);
    if (kind == nullptr) {
      throw Error(ErrorKind::UnsupportedModel,
                  "[config] " + pattern.where() + " is " + pattern.describe() +
                      "; supported letters: M (Mamba-2), * (attention), - (MLP), E (experts).");
    }
    layers.push_back(layer_of(*kind));
  }
  return layers;
}

}  // namespace

std::vector<LayerConfig> read_layer_kinds(const Json& json) {
  for (const char* key : {"layers_block_type", "layer_types"}) {
    if (const Json* types = present(json, key)) {
      return listed(*types);
    }
  }
  if (const Json* pattern = present(json, "hybrid_override_pattern")) {
    return lettered(*pattern);
  }
  std::vector<LayerConfig> layers;
  for (const char letter : kDefault) {
    layers.push_back(layer_of(*kind_of(letter)));
  }
  return layers;
}

bool has_sparse_layer(const std::vector<LayerConfig>& layers) {
  return std::ranges::any_of(layers, &LayerConfig::sparse);
}

}  // namespace convergio::arch
