#include "arch/rope_config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "io/error.h"

namespace convergio::arch {

namespace {

using io::Json;

[[noreturn]] void corrupt(const Json& value, const std::string& wanted) {
  throw Error(ErrorKind::ModelCorrupt, "[config] " + value.where() + " is " + value.describe() +
                                           ", which must be " + wanted +
                                           "; download the model again or correct the file.");
}

const Json* present(const Json* json, std::string_view key) {
  const Json* value = json == nullptr ? nullptr : json->find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

double positive(const Json& value) {
  const double number = value.as_number();
  const bool in_range = number >= 1e-12 && number <= 1e12;  // false for NaN
  if (!in_range) {
    corrupt(value, "from 1e-12 to 1e12");
  }
  return number;
}

/// Zero is allowed where it means "none", as the fallback does.
double positive_or(const Json* json, std::string_view key, double fallback) {
  const Json* value = present(json, key);
  if (value == nullptr || (fallback == 0 && value->as_number() == 0)) {
    return fallback;
  }
  return positive(*value);
}

double need(const Json& block, std::string_view key) {
  const Json* value = present(&block, key);
  if (value == nullptr) {
    throw Error(ErrorKind::ModelCorrupt,
                "[config] " + block.where() + " has no '" + std::string(key) +
                    "', which its rope type needs; download the model again or correct the file.");
  }
  return positive(*value);
}

RopeKind kind_of(const Json& block) {
  const Json* type = present(&block, "rope_type");
  if (type == nullptr) {
    type = present(&block, "type");
  }
  if (type == nullptr) {
    return RopeKind::Plain;
  }
  const std::string& name = type->as_string();
  if (name == "default") return RopeKind::Plain;
  if (name == "linear") return RopeKind::Linear;
  if (name == "dynamic") return RopeKind::Dynamic;
  if (name == "llama3") return RopeKind::Llama3;
  if (name == "yarn") return RopeKind::Yarn;
  if (name == "longrope" || name == "su") return RopeKind::LongRope;
  throw Error(ErrorKind::UnsupportedModel,
              "[config] " + type->where() + " is " + type->describe() +
                  "; supported rope types: default, linear, dynamic, llama3, yarn, longrope.");
}

std::vector<double> factors(const Json& block, std::string_view key, int pairs) {
  const Json& list = block.at(key);
  if (list.items().size() != static_cast<std::size_t>(pairs)) {
    throw Error(ErrorKind::ModelCorrupt,
                "[config] " + list.where() + " has " + std::to_string(list.items().size()) +
                    " factors and a head rotates " + std::to_string(pairs) +
                    " pairs; download the model again or correct the file.");
  }
  std::vector<double> values;
  std::ranges::transform(list.items(), std::back_inserter(values), positive);
  return values;
}

/// Peng et al. 2023, 3.4: what keeps the entropy of attention as the context grows.
double yarn_magnitude(const Json& block, double factor) {
  if (const Json* given = present(&block, "attention_factor")) {
    return positive(*given);
  }
  const auto magnitude = [factor](double weight) {
    return factor <= 1 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0;
  };
  const double weight = positive_or(&block, "mscale", 0);
  const double all = positive_or(&block, "mscale_all_dim", 0);
  return weight > 0 && all > 0 ? magnitude(weight) / magnitude(all) : magnitude(1);
}

int original_context(const Json& json, const Json& block, int fallback) {
  const Json* value = present(&block, "original_max_position_embeddings");
  if (value == nullptr) {
    value = present(&json, "original_max_position_embeddings");
  }
  if (value == nullptr) {
    return fallback;
  }
  const std::int64_t number = value->as_integer();
  if (number < 1 || number > (1 << 28)) {
    corrupt(*value, "from 1 to 268435456");
  }
  return static_cast<int>(number);
}

void read_scaling(const Json& json, const Json& block, const Config& config, Rope& rope) {
  rope.kind = kind_of(block);
  switch (rope.kind) {
    case RopeKind::Plain:
      break;
    case RopeKind::Linear:
      rope.factor = need(block, "factor");
      break;
    case RopeKind::Dynamic:
      rope.factor = need(block, "factor");
      rope.original_context = config.context_window;
      break;
    case RopeKind::Llama3:
      rope.factor = need(block, "factor");
      rope.low_freq_factor = positive_or(&block, "low_freq_factor", 1);
      rope.high_freq_factor = positive_or(&block, "high_freq_factor", 4);
      rope.original_context = original_context(json, block, 8192);
      if (rope.high_freq_factor <= rope.low_freq_factor) {
        corrupt(block.at("high_freq_factor"), "above 'low_freq_factor'");
      }
      break;
    case RopeKind::Yarn:
      rope.original_context = original_context(json, block, config.context_window);
      rope.factor = positive_or(&block, "factor",
                                static_cast<double>(config.context_window) / rope.original_context);
      rope.beta_fast = positive_or(&block, "beta_fast", 32);
      rope.beta_slow = positive_or(&block, "beta_slow", 1);
      if (const Json* truncate = present(&block, "truncate")) {
        rope.truncate = truncate->as_bool();
      }
      rope.attention_factor = yarn_magnitude(block, rope.factor);
      if (rope.base <= 1) {
        throw Error(ErrorKind::ModelCorrupt,
                    "[config] config.json: 'rope_theta' must be above 1 for rope type yarn; "
                    "download the model again or correct the file.");
      }
      break;
    case RopeKind::LongRope: {
      rope.original_context = original_context(json, block, config.context_window);
      rope.factor = positive_or(&block, "factor",
                                static_cast<double>(config.context_window) / rope.original_context);
      rope.short_factor = factors(block, "short_factor", rope.dims / 2);
      rope.long_factor = factors(block, "long_factor", rope.dims / 2);
      const double grown =
          rope.factor <= 1 || rope.original_context <= 1
              ? 1.0
              : std::sqrt(1 + std::log(rope.factor) / std::log(rope.original_context));
      rope.attention_factor = positive_or(&block, "attention_factor", grown);
      break;
    }
  }
}

/// `block` is "rope_scaling" or "rope_parameters", where there is one.
Rope read_rope(const Json& json, const Json* block, const Config& config, double theta) {
  Rope rope;
  rope.base = positive_or(block, "rope_theta", theta);
  const double part =
      positive_or(block, "partial_rotary_factor", positive_or(&json, "partial_rotary_factor", 1));
  rope.dims = static_cast<int>(config.head_dim * std::min(part, 2.0));
  if (rope.dims < 2 || rope.dims % 2 != 0 || rope.dims > config.head_dim) {
    throw Error(ErrorKind::ModelCorrupt,
                "[config] config.json: 'partial_rotary_factor' turns " + std::to_string(rope.dims) +
                    " of a head's " + std::to_string(config.head_dim) +
                    " dimensions, which must be even, at least 2 and no more than those; download "
                    "the model again or correct the file.");
  }
  if (block != nullptr) {
    read_scaling(json, *block, config, rope);
  }
  return rope;
}

}  // namespace

std::vector<Rope> read_ropes(const Json& json, Config& config) {
  const double theta = positive_or(&json, "rope_theta", config.family->rope_theta);
  const double local_theta =
      positive_or(&json, "rope_local_base_freq", config.family->local_rope_theta);
  const Json* block = present(&json, "rope_scaling");
  const Json* local_block = nullptr;
  if (const Json* parameters = present(&json, "rope_parameters")) {
    const Json* full = present(parameters, "full_attention");
    block = full == nullptr ? parameters : full;
    local_block = present(parameters, "sliding_attention");
  }
  std::vector<Rope> ropes{read_rope(json, block, config, theta)};
  if (config.family->local_rope) {
    ropes.push_back(read_rope(json, local_block, config, local_theta > 0 ? local_theta : theta));
  }
  const Rope& rope = ropes.front();
  if (rope.kind == RopeKind::Yarn || rope.kind == RopeKind::Dynamic) {
    const double reach = rope.factor * rope.original_context;
    config.context_window =
        std::max(config.context_window, static_cast<int>(std::min(reach, 268435456.0)));
  }
  return ropes;
}

}  // namespace convergio::arch
