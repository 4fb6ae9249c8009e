#include "arch/recurrence_config.h"

#include <cstddef>
#include <string>
#include <vector>

#include "arch/fields.h"
#include "io/error.h"

namespace convergio::arch {

namespace {

using io::Json;

constexpr int kMostTaps = 64;
constexpr int kMostHeads = 1 << 14;
constexpr std::string_view kAttention = "full_attention";

/// "layer_types", as flags.
std::vector<bool> listed(const Json& types, std::string_view recurrent, std::size_t layers) {
  if (types.items().size() != layers) {
    corrupt("'layer_types' lists " + std::to_string(types.items().size()) +
            " layers and 'num_hidden_layers' is " + std::to_string(layers));
  }
  std::vector<bool> flags;
  for (const Json& type : types.items()) {
    if (type.as_string() != recurrent && type.as_string() != kAttention) {
      throw Error(ErrorKind::UnsupportedModel,
                  "[config] config.json: 'layer_types' has " + type.describe() + "; supported: " +
                      std::string(kAttention) + ", " + std::string(recurrent) + ".");
    }
    flags.push_back(type.as_string() == recurrent);
  }
  return flags;
}

/// All layers but those of "full_attn_idxs", where that is there.
std::vector<bool> all_but_listed(const Json& json, std::size_t layers) {
  const Json* indices = present(json, "full_attn_idxs");
  std::vector<bool> flags(layers, indices != nullptr);
  if (indices == nullptr) {
    return flags;
  }
  for (const Json& index : indices->items()) {
    flags[static_cast<std::size_t>(integer_in(index, 0, static_cast<int>(layers) - 1))] = false;
  }
  return flags;
}

/// All layers but each "full_attention_interval"-th.
std::vector<bool> all_but_each(const Json& json, int interval, std::size_t layers) {
  interval = integer_or(json, "full_attention_interval", 1, 1 << 12, interval);
  std::vector<bool> flags(layers);
  for (std::size_t i = 0; i < layers; ++i) {
    flags[i] = (i + 1) % static_cast<std::size_t>(interval) != 0;
  }
  return flags;
}

/// The block that speaks of recurrences; nullptr where there is none.
const Json* block_of(const Json& json, const RecurrentFamily& family) {
  const Json* block = present(json, family.block);
  if (block != nullptr) {
    static_cast<void>(block->members());  // throws where it is no object
  }
  return block;
}

std::vector<bool> listed_in_block(const Json& json, const RecurrentFamily& family,
                                  std::size_t layers) {
  const Json* block = block_of(json, family);
  const Json* list = block == nullptr ? nullptr : present(*block, "kda_layers");
  std::vector<bool> flags(layers, false);
  if (list == nullptr) {
    for (std::size_t i = 0; i < layers; ++i) {
      flags[i] = i == 0 || i % static_cast<std::size_t>(family.interval) != 0;
    }
    return flags;
  }
  for (const Json& number : list->items()) {
    flags[static_cast<std::size_t>(integer_in(number, 1, static_cast<int>(layers))) - 1] = true;
  }
  return flags;
}

/// The sizes of heads that all have keys and values of their own, of one size.
void read_block(const Json& json, const RecurrentFamily& family, Recurrence& sizes) {
  const Json* block = block_of(json, family);
  const auto size = [&](const char* key, const char* beside, int low, int high, int fallback) {
    const int flat = integer_or(json, beside, low, high, fallback);
    return block == nullptr ? flat : integer_or(*block, key, low, high, flat);
  };
  sizes.heads = size("num_heads", "linear_num_heads", 1, kMostHeads, family.heads);
  sizes.key_heads = sizes.heads;
  sizes.key_dim = size("head_dim", "linear_head_dim", 1, kMostHeads, family.key_dim);
  sizes.value_dim = sizes.key_dim;
  sizes.taps = size("short_conv_kernel_size", "linear_conv_kernel_dim", 2, kMostTaps, family.taps);
}

/// The sizes of heads with matrices.
void read_heads(const Json& json, const RecurrentFamily& family, Recurrence& sizes) {
  const auto size = [&](const char* key, int fallback) {
    return integer_or(json, key, 1, kMostHeads, fallback);
  };
  sizes.heads = size("linear_num_value_heads", family.heads);
  sizes.key_heads = size("linear_num_key_heads", family.key_heads);
  sizes.key_dim = size("linear_key_head_dim", family.key_dim);
  sizes.value_dim = size("linear_value_head_dim", family.value_dim);
  if (sizes.heads % sizes.key_heads != 0) {
    corrupt("'linear_num_value_heads' is " + std::to_string(sizes.heads) +
            ", which must be a multiple of 'linear_num_key_heads', " +
            std::to_string(sizes.key_heads));
  }
}

std::vector<bool> recurrent_layers(const Json& json, const RecurrentFamily& family,
                                   std::size_t layers) {
  if (const Json* types = present(json, "layer_types")) {
    return listed(*types, family.layer_type, layers);
  }
  if (family.lists_attention) {
    return all_but_listed(json, layers);
  }
  return family.block.empty() ? all_but_each(json, family.interval, layers)
                              : listed_in_block(json, family, layers);
}

Recurrence read_sizes(const Json& json, const RecurrentFamily& family, const Config& config) {
  Recurrence sizes{.kind = family.kind};
  if (!family.taps_key.empty()) {
    sizes.taps = integer_or(json, family.taps_key, 2, kMostTaps, family.taps);
  }
  switch (family.kind) {
    case RecurrenceKind::None:
      break;
    case RecurrenceKind::ShortConv:
      sizes.channels = config.hidden_size;
      break;
    case RecurrenceKind::GatedDelta:
      read_heads(json, family, sizes);
      sizes.channels = 2 * sizes.keys() + sizes.values();
      break;
    case RecurrenceKind::KimiDelta:
      read_block(json, family, sizes);
      sizes.channels = 3 * sizes.keys();
      break;
  }
  return sizes;
}

}  // namespace

std::int64_t Recurrence::state_numbers() const {
  const std::int64_t inputs = is_there() ? std::int64_t{taps - 1} * channels : 0;
  return inputs + std::int64_t{heads} * key_dim * value_dim;
}

int Recurrence::width() const {
  switch (kind) {
    case RecurrenceKind::None:
      return 0;
    case RecurrenceKind::ShortConv:
      return 3 * channels;
    case RecurrenceKind::GatedDelta:
      return 2 * (channels + values());
    case RecurrenceKind::KimiDelta:
      return 3 * channels;
  }
  return 0;
}

std::int64_t Recurrence::parameters(int hidden_size) const {
  const std::int64_t hidden = hidden_size;
  switch (kind) {
    case RecurrenceKind::None:
      return 0;
    case RecurrenceKind::ShortConv:
      return 4 * hidden * channels;
    case RecurrenceKind::GatedDelta:
      return hidden * (std::int64_t{channels} + 2 * std::int64_t{values()} + 2 * heads);
    case RecurrenceKind::KimiDelta:
      return hidden * (std::int64_t{channels} + values() + 2 * key_dim + heads) +
             2 * std::int64_t{key_dim} * values();
  }
  return 0;
}

void read_recurrence(const Json& json, Config& config) {
  const RecurrentFamily& family = config.family->recurrence;
  if (family.kind == RecurrenceKind::None) {
    return;
  }
  const std::vector<bool> recurrent = recurrent_layers(json, family, config.layers.size());
  const Recurrence sizes = read_sizes(json, family, config);
  for (std::size_t i = 0; i < recurrent.size(); ++i) {
    if (recurrent[i]) {
      config.layers[i].attends = false;
      config.layers[i].rope = -1;
      config.layers[i].recurrence = sizes;
    }
  }
}

}  // namespace convergio::arch
