#include "arch/rope_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "arch/fields.h"
#include "io/error.h"

namespace convergio::arch {

namespace {

using io::Json;

constexpr int kDigits = 12;  ///< of what is multiplied with positions: from 1e-12 to 1e12

/// The blocks that describe one rotary embedding, in the order in which a key is looked up.
class Blocks {
 public:
  void add(const Json* block) {
    if (block != nullptr) {
      blocks_.push_back(block);
    }
  }
  bool empty() const { return blocks_.empty(); }
  std::string where() const { return blocks_.front()->where(); }

  /// nullptr where the key is missing, or null, in all of them.
  const Json* find(std::string_view key) const {
    for (const Json* block : blocks_) {
      if (const Json* value = present(*block, key)) {
        return value;
      }
    }
    return nullptr;
  }

  /// "rope_type", or "type" as older files have it, of the first block that has either.
  const Json* type() const {
    for (const Json* block : blocks_) {
      for (const char* key : {"rope_type", "type"}) {
        if (const Json* value = present(*block, key)) {
          return value;
        }
      }
    }
    return nullptr;
  }

  double positive_or(std::string_view key, double fallback) const {
    const Json* value = find(key);
    return value == nullptr ? fallback : positive(*value, kDigits);
  }

  /// The same where 0 stands for the fallback too.
  double nonzero_or(std::string_view key, double fallback) const {
    const Json* value = find(key);
    return value == nullptr || value->as_number() == 0 ? fallback : positive(*value, kDigits);
  }

  const Json& need(std::string_view key) const {
    const Json* value = find(key);
    if (value == nullptr) {
      throw Error(ErrorKind::ModelCorrupt, "[config] " + where() + " has no '" + std::string(key) +
                                               "', which its rope type needs; download the model "
                                               "again or correct the file.");
    }
    return *value;
  }

 private:
  std::vector<const Json*> blocks_;
};

RopeKind kind_of(const Blocks& blocks, const Family& family, RopeKind fallback) {
  const Json* type = blocks.type();
  if (type == nullptr) {
    return fallback;
  }
  const std::string& name = type->as_string();
  if (name == "default") return RopeKind::Plain;
  if (name == "linear") return RopeKind::Linear;
  if (name == "dynamic") return RopeKind::Dynamic;
  if (name == "llama3") return RopeKind::Llama3;
  if (name == "yarn") return family.yarn_is_longrope ? RopeKind::LongRope : RopeKind::Yarn;
  if (name == "longrope" || name == "su") return RopeKind::LongRope;
  if (name == "proportional") return RopeKind::Proportional;
  throw Error(ErrorKind::UnsupportedModel, "[config] " + type->where() + " is " + type->describe() +
                                               "; supported rope types: default, linear, dynamic, "
                                               "llama3, yarn, longrope, proportional.");
}

std::vector<double> factors(const Json& list, int pairs) {
  if (list.items().size() != static_cast<std::size_t>(pairs)) {
    throw Error(ErrorKind::ModelCorrupt,
                "[config] " + list.where() + " has " + std::to_string(list.items().size()) +
                    " factors and a head rotates " + std::to_string(pairs) +
                    " pairs; download the model again or correct the file.");
  }
  std::vector<double> values;
  std::ranges::transform(list.items(), std::back_inserter(values),
                         [](const Json& value) { return positive(value, kDigits); });
  return values;
}

/// Peng et al. 2023, 3.4: what keeps the entropy of attention as the context grows.
double magnitude(double factor, double weight) {
  return factor <= 1 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0;
}

double yarn_magnitude(const Blocks& blocks, double factor) {
  const double weight = blocks.nonzero_or("mscale", 0);
  const double all = blocks.nonzero_or("mscale_all_dim", 0);
  return blocks.positive_or(
      "attention_factor", weight > 0 && all > 0 ? magnitude(factor, weight) / magnitude(factor, all)
                                                : magnitude(factor, 1));
}

/// Positions the model was first trained on. What config.json says beside the block outranks it,
/// and so does the class's own number: both transformers and mlx-lm read it there.
double original_context(const Json& json, const Blocks& blocks, const Config& config) {
  const Family& family = *config.family;
  constexpr const char* kKey = "original_max_position_embeddings";
  if (!family.local_rope) {
    if (const Json* value = present(json, kKey)) {
      return tokens_of(*value);
    }
    if (family.defaults.original_max_position_embeddings > 0) {
      return family.defaults.original_max_position_embeddings;
    }
  }
  const Json* value = blocks.find(kKey);
  return value == nullptr ? config.max_positions : tokens_of(*value);
}

void read_yarn(const Blocks& blocks, const Config& config, Rope& rope) {
  rope.factor = blocks.positive_or("factor", config.max_positions / rope.original_context);
  rope.beta_fast = blocks.nonzero_or("beta_fast", 32);
  rope.beta_slow = blocks.nonzero_or("beta_slow", 1);
  if (const Json* truncate = blocks.find("truncate")) {
    rope.truncate = truncate->as_bool();
  }
  rope.attention_factor = yarn_magnitude(blocks, rope.factor);
  if (rope.base <= 1) {
    corrupt("'rope_theta' must be above 1 for rope type yarn");
  }
}

void read_longrope(const Blocks& blocks, const Config& config, Rope& rope) {
  rope.factor = blocks.positive_or("factor", config.max_positions / rope.original_context);
  rope.short_factor = factors(blocks.need("short_factor"), rope.dims / 2);
  rope.long_factor = factors(blocks.need("long_factor"), rope.dims / 2);
  const double grown = rope.factor <= 1 || rope.original_context <= 1
                           ? 1.0
                           : std::sqrt(1 + std::log(rope.factor) / std::log(rope.original_context));
  rope.attention_factor = blocks.positive_or("attention_factor", grown);
  rope.short_attention_factor = rope.attention_factor;
  if (config.family->reads_rope_mscales) {
    rope.attention_factor = blocks.positive_or("long_mscale", rope.attention_factor);
    rope.short_attention_factor = blocks.positive_or("short_mscale", rope.short_attention_factor);
  }
}

void read_scaling(const Json& json, const Blocks& blocks, const Config& config, Rope& rope) {
  switch (rope.kind) {
    case RopeKind::Plain:
      break;
    case RopeKind::Proportional:
      rope.factor = blocks.positive_or("factor", 1);
      break;
    case RopeKind::Linear:
      rope.factor = positive(blocks.need("factor"), kDigits);
      break;
    case RopeKind::Dynamic:
      if (const Json* alpha = config.family->reads_rope_alpha ? blocks.find("alpha") : nullptr) {
        rope.kind = RopeKind::Plain;  // a constant stretch
        rope.base *= std::pow(positive(*alpha, kDigits), rope.dims / (rope.dims - 2.0));
        break;
      }
      rope.factor = positive(blocks.need("factor"), kDigits);
      rope.original_context = config.max_positions;
      break;
    case RopeKind::Llama3:
      rope.factor = positive(blocks.need("factor"), kDigits);
      rope.low_freq_factor = blocks.positive_or("low_freq_factor", 1);
      rope.high_freq_factor = blocks.positive_or("high_freq_factor", 4);
      rope.original_context = original_context(json, blocks, config);
      if (rope.high_freq_factor < rope.low_freq_factor) {
        corrupt(blocks.need("high_freq_factor"), "at least 'low_freq_factor'");
      }
      break;
    case RopeKind::Yarn:
      rope.original_context = original_context(json, blocks, config);
      read_yarn(blocks, config, rope);
      break;
    case RopeKind::LongRope:
      rope.original_context = original_context(json, blocks, config);
      read_longrope(blocks, config, rope);
      break;
  }
}

/// What of a head is rotated, before what the blocks say of it.
struct RopeSizes {
  int head_dim;
  double theta;
  double part;                      ///< of each head
  RopeKind kind = RopeKind::Plain;  ///< where no type is given
};

Rope read_rope(const Json& json, const Blocks& blocks, const Config& config,
               const RopeSizes& sizes) {
  Rope rope;
  rope.base = sizes.theta;
  rope.kind = kind_of(blocks, *config.family, sizes.kind);
  rope.dims = static_cast<int>(sizes.head_dim * std::min(sizes.part, 2.0));
  if (rope.dims < 2 || rope.dims % 2 != 0 || rope.dims > sizes.head_dim) {
    corrupt("'partial_rotary_factor' rotates " + std::to_string(rope.dims) + " of a head's " +
            std::to_string(sizes.head_dim) +
            " dimensions, which must be even, at least 2 and no more than those");
  }
  if (rope.kind == RopeKind::Proportional) {
    rope.turning = std::exchange(rope.dims, sizes.head_dim);
  }
  read_scaling(json, blocks, config, rope);
  return rope;
}

/// The part of a head that the rotary embedding is for: of layers that slide, or that do not.
int head_dim_of(const Config& config, bool slides) {
  if (config.latent.rank > 0) {
    return config.latent.rotated;
  }
  const auto layer = std::ranges::find(config.layers, slides, &LayerConfig::slides);
  return layer == config.layers.end() ? config.head_dim : layer->head_dim;
}

/// "layer_rope_theta": 0 for a layer without a rotary embedding.
void read_layer_thetas(const Json& json, double theta, Config& config) {
  const Json* list = present(json, "layer_rope_theta");
  if (list == nullptr) {
    return;
  }
  if (list->items().size() != config.layers.size()) {
    corrupt("'layer_rope_theta' lists " + std::to_string(list->items().size()) +
            " layers and 'num_hidden_layers' is " + std::to_string(config.layers.size()));
  }
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const Json& own = list->items()[i];
    if (own.as_number() != 0 && own.as_number() != theta) {
      throw Error(ErrorKind::UnsupportedModel, "[config] " + own.where() + " is " + own.describe() +
                                                   "; supported: 0 and that of 'rope_theta'.");
    }
    config.layers[i].rope = own.as_number() == 0 ? -1 : 0;
  }
}

/// "rope_scaling" or "rope_parameters"; an empty block says nothing.
const Json* block_of(const Json& json, std::string_view key) {
  const Json* block = present(json, key);
  return block == nullptr || block->members().empty() ? nullptr : block;
}

/// The part of a block that is about layers of one type, where it has such parts.
const Json* part_for(const Json* block, std::string_view type) {
  return block == nullptr ? nullptr : present(*block, type);
}

}  // namespace

std::vector<Rope> read_ropes(const Json& json, Config& config) {
  const Family& family = *config.family;
  const Json* scaling = block_of(json, "rope_scaling");
  const Json* parameters = block_of(json, "rope_parameters");
  std::optional<Json> of_class;
  if (!family.defaults.rope_parameters.empty() && scaling == nullptr && parameters == nullptr) {
    of_class = Json::parse(family.defaults.rope_parameters, "config.json");
    parameters = &*of_class;
  }
  const Json* parts = scaling == nullptr ? parameters : scaling;
  const auto full_part = [](const Json* block) {
    const Json* full = part_for(block, "full_attention");
    return full == nullptr ? block : full;
  };

  Blocks blocks;  // "rope_scaling" outranks "rope_parameters", as in transformers and mlx-lm:
  blocks.add(full_part(scaling));
  if (scaling == nullptr || family.local_rope) {  // it takes its place, or is laid over it
    blocks.add(full_part(parameters));
  }
  // These two are also looked up beside the block, and last in the block that was replaced.
  const auto beside = [&](const char* key, double fallback) {
    const Json* replaced = full_part(parameters);
    const Json* value = replaced == nullptr ? nullptr : present(*replaced, key);
    return blocks.positive_or(
        key,
        positive_or(json, key, value == nullptr ? fallback : positive(*value, kDigits), kDigits));
  };
  const double theta = beside("rope_theta", family.defaults.rope_theta);
  const double own_part = family.defaults.partial_rotary_factor;
  double part = family.reads_partial_rotary ? beside("partial_rotary_factor", own_part) : 1;
  if (family.reads_rotary_dim) {
    part = integer_or(json, "rotary_dim", 2, config.head_dim, config.head_dim);
    part /= config.head_dim;
  }
  const RopeSizes sizes{
      .head_dim = head_dim_of(config, false),
      .theta = theta,
      .part = part,
      .kind = family.proportional_rope ? RopeKind::Proportional : RopeKind::Plain};
  std::vector<Rope> ropes{read_rope(json, blocks, config, sizes)};

  Blocks local;
  local.add(part_for(family.local_rope ? parameters : parts, "sliding_attention"));
  if (family.local_rope) {
    const double own = family.defaults.rope_local_base_freq;
    const double base = own > 0
                            ? positive_or(json, "rope_local_base_freq", own, kDigits)
                            : positive_or(json, "rope_theta", family.defaults.rope_theta, kDigits);
    const double local_part =
        family.reads_partial_rotary ? local.positive_or("partial_rotary_factor", 1) : 1;
    ropes.push_back(read_rope(json, local, config,
                              {.head_dim = head_dim_of(config, true),
                               .theta = local.positive_or("rope_theta", base),
                               .part = local_part}));
  } else if (!local.empty() && read_rope(json, local, config,
                                         {.head_dim = sizes.head_dim,
                                          .theta = local.positive_or("rope_theta", theta),
                                          .part = part}) != ropes.front()) {
    throw Error(ErrorKind::UnsupportedModel, "[config] " + local.where() +
                                                 " differs from that of full_attention; a " +
                                                 std::string(family.model_type) +
                                                 " model has one rotary embedding for all layers.");
  }

  if (family.reads_layer_rope_theta) {
    read_layer_thetas(json, theta, config);
  }
  const Rope& rope = ropes.front();
  if (family.latent && rope.kind != RopeKind::Plain) {  // of the part that is not rotated too
    const double all = magnitude(rope.factor, blocks.nonzero_or("mscale_all_dim", 0));
    config.attention_scale *= static_cast<float>(all * all);
  }
  if (const Json* beta = family.reads_temperature ? blocks.find("llama_4_scaling_beta") : nullptr) {
    config.temperature_beta = static_cast<float>(positive(*beta, kDigits));
    config.temperature_period = original_context(json, blocks, config);
  }
  if (rope.kind == RopeKind::Yarn || rope.kind == RopeKind::Dynamic) {
    const double reach = rope.factor * rope.original_context;
    config.context_window =
        std::max(config.context_window, static_cast<int>(std::min<double>(reach, kMostTokens)));
  }
  return ropes;
}

}  // namespace convergio::arch
