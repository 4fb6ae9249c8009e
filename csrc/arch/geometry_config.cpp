#include "arch/geometry_config.h"

#include <string>

#include "arch/fields.h"

namespace convergio::arch {

namespace {

using io::Json;

constexpr int kMaxHeads = 1 << 14;
constexpr int kMaxDim = 1 << 22;

/// Of layers without a window.
void widen_full_layers(const Json& json, Config& config) {
  const int head_dim =
      integer_or(json, "global_head_dim", 2, kMaxHeads, config.family->defaults.global_head_dim);
  if (head_dim % 2 != 0) {
    corrupt("'global_head_dim' is " + std::to_string(head_dim) + ", which must be even");
  }
  const bool keys_are_values = flag_or(json, "attention_k_eq_v", false);
  const int kv_heads =
      integer_or(json, "num_global_key_value_heads", 1, kMaxHeads, config.kv_heads);
  if (config.heads % kv_heads != 0) {
    corrupt("'num_attention_heads' is " + std::to_string(config.heads) +
            ", which must be a multiple of 'num_global_key_value_heads', " +
            std::to_string(kv_heads));
  }
  for (LayerConfig& layer : config.layers) {
    if (!layer.slides) {
      layer.head_dim = head_dim;
      layer.keys_are_values = keys_are_values;
      layer.kv_heads = keys_are_values ? kv_heads : config.kv_heads;
    }
  }
}

/// The last layers have no keys and values of their own, but those of the last layer of their kind
/// that has.
void share_keys(const Json& json, Config& config) {
  const int layers = static_cast<int>(config.layers.size());
  const int shared = integer_or(json, "num_kv_shared_layers", 0, layers - 1, 0);
  const bool wide = flag_or(json, "use_double_wide_mlp", false);
  const int first = layers - shared;
  for (int i = first; i < layers; ++i) {
    LayerConfig& layer = config.layers[static_cast<std::size_t>(i)];
    int from = first - 1;
    while (from >= 0 && config.layers[static_cast<std::size_t>(from)].slides != layer.slides) {
      --from;
    }
    if (from < 0) {
      corrupt("'num_kv_shared_layers' is " + std::to_string(shared) + " and layer " +
              std::to_string(i) + " has no earlier layer of its kind to share with");
    }
    layer.kv_from = from;
    layer.intermediate_size *= wide ? 2 : 1;
  }
}

/// "num_attention_heads_per_layer".
void read_layer_heads(const Json& json, Config& config) {
  const Json* list = present(json, "num_attention_heads_per_layer");
  if (list == nullptr) {
    return;
  }
  if (list->items().size() != config.layers.size()) {
    corrupt("'num_attention_heads_per_layer' lists " + std::to_string(list->items().size()) +
            " layers and 'num_hidden_layers' is " + std::to_string(config.layers.size()));
  }
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const Json& heads = list->items()[i];
    const std::int64_t count = heads.as_integer();
    if (count < 1 || count > kMaxHeads || count % config.kv_heads != 0) {
      corrupt(heads, "a multiple of 'num_key_value_heads', " + std::to_string(config.kv_heads));
    }
    if (count * config.head_dim > kMaxDim) {
      corrupt(heads, "at most " + std::to_string(kMaxDim / config.head_dim) + " with heads of " +
                         std::to_string(config.head_dim) + " dimensions");
    }
    config.layers[i].heads = static_cast<int>(count);
  }
}

}  // namespace

int LayerConfig::kv_numbers() const {
  if (!attends || shares_keys()) {
    return 0;
  }
  return latent.rank > 0 ? head_dim : 2 * kv_heads * head_dim;
}

std::int64_t LayerConfig::mixer_parameters(int hidden_size) const {
  const std::int64_t hidden = hidden_size;
  const std::int64_t all_heads = heads;
  const std::int64_t recurrent = recurrence.parameters(hidden_size);
  if (!attends) {
    return recurrent;
  }
  if (latent.rank == 0) {
    const int own = shares_keys() ? 0 : (keys_are_values ? kv_heads : 2 * kv_heads);
    const int queries = gated_queries ? 2 : 1;
    return recurrent + hidden * head_dim * ((queries + 1) * all_heads + own);
  }
  const std::int64_t queries = all_heads * (latent.plain + latent.rotated);
  const std::int64_t q = latent.q_rank > 0 ? latent.q_rank * (hidden + queries) : hidden * queries;
  const std::int64_t kv =
      hidden * head_dim + all_heads * latent.rank * (latent.plain + latent.value);
  return recurrent + q + kv + all_heads * latent.value * hidden;
}

LatentSizes read_latent(const Json& json, const Family& family) {
  if (!family.latent) {
    return {};
  }
  const Defaults& defaults = family.defaults;
  const auto size = [&](const char* key, int fallback) {
    return integer_or(json, key, 1, kMaxHeads, fallback);
  };
  const LatentSizes sizes{
      .rank = size("kv_lora_rank", defaults.kv_lora_rank),
      .q_rank = is_none(json, "q_lora_rank") ? 0 : size("q_lora_rank", defaults.q_lora_rank),
      .plain = size("qk_nope_head_dim", defaults.qk_nope_head_dim),
      .rotated = size("qk_rope_head_dim", defaults.qk_rope_head_dim),
      .value = size("v_head_dim", defaults.v_head_dim)};
  if (sizes.rotated % 2 != 0) {
    corrupt("'qk_rope_head_dim' is " + std::to_string(sizes.rotated) + ", which must be even");
  }
  return sizes;
}

void read_geometry(const Json& json, Config& config) {
  for (LayerConfig& layer : config.layers) {
    layer.heads = config.heads;
    layer.kv_heads = config.kv_heads;
    layer.head_dim = config.head_dim;
    layer.latent = config.latent;
    layer.intermediate_size = config.intermediate_size;
    layer.gated_queries = config.family->gated_queries;
  }
  const Family& family = *config.family;
  if (family.reads_layer_heads) {
    read_layer_heads(json, config);
  }
  if (family.reads_global_geometry) {
    widen_full_layers(json, config);
    share_keys(json, config);
    config.per_layer_size = integer_or(json, "hidden_size_per_layer_input", 0, kMaxDim / 1024,
                                       family.defaults.hidden_size_per_layer_input);
    config.per_layer_vocab = integer_or(json, "vocab_size_per_layer_input", 1, 1 << 26,
                                        family.defaults.vocab_size_per_layer_input);
  }
}

}  // namespace convergio::arch
