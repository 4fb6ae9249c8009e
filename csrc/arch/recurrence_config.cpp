#include "arch/recurrence_config.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "arch/fields.h"
#include "io/error.h"

namespace convergio::arch {

namespace {

using io::Json;

constexpr int kMostTaps = 64;
constexpr int kMostHeads = 1 << 14;
constexpr int kMostChannels = 1 << 22;

/// "layer_types", as flags. Where a family's own names are others, transformers' newer ones mean
/// the same.
std::vector<bool> listed(const Json& types, const RecurrentFamily& family, std::size_t layers) {
  if (types.items().size() != layers) {
    corrupt("'layer_types' lists " + std::to_string(types.items().size()) +
            " layers and 'num_hidden_layers' is " + std::to_string(layers));
  }
  const bool renamed = family.attention_type != "full_attention";
  std::vector<bool> flags;
  for (const Json& type : types.items()) {
    const std::string& name = type.as_string();
    const bool recurs = name == family.layer_type || (renamed && name == "linear_attention");
    if (!recurs && name != family.attention_type && !(renamed && name == "full_attention")) {
      throw Error(ErrorKind::UnsupportedModel,
                  "[config] config.json: 'layer_types' has " + type.describe() +
                      "; supported: " + std::string(family.attention_type) + ", " +
                      std::string(family.layer_type) + ".");
    }
    flags.push_back(recurs);
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
std::vector<bool> all_but_each(const Json& json, const RecurrentFamily& family,
                               std::size_t layers) {
  const int interval = family.reads_interval ? integer_or(json, "full_attention_interval", 1,
                                                          1 << 12, family.interval)
                                             : family.interval;
  std::vector<bool> flags(layers);
  for (std::size_t i = 0; i < layers; ++i) {
    flags[i] = (i + 1) % static_cast<std::size_t>(interval) != 0;
  }
  if (!family.reads_interval && layers < static_cast<std::size_t>(interval)) {
    flags.back() = false;  // of few layers the last one attends all the same
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

/// What follows a convolution is SiLU, by a key that may say otherwise.
void check_silu(const Json& json, std::string_view key) {
  const Json* activation = present(json, key);
  if (activation != nullptr && activation->as_string() != "silu" &&
      activation->as_string() != "swish") {
    throw Error(ErrorKind::UnsupportedModel, "[config] " + activation->where() + " is " +
                                                 activation->describe() + "; supported: silu.");
  }
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
void read_heads(const Json& json, const RecurrentFamily& family, const Config& config,
                Recurrence& sizes) {
  const auto size = [&](const char* key, int fallback) {
    return integer_or(json, key, 1, kMostHeads, fallback);
  };
  const auto own_or = [](int own, int computed) { return own > 0 ? own : std::max(computed, 1); };
  sizes.heads = size("linear_num_value_heads", own_or(family.heads, config.heads));
  sizes.key_heads = size("linear_num_key_heads", own_or(family.key_heads, config.heads));
  const std::int64_t part = std::int64_t{3} * config.hidden_size / 4 / sizes.key_heads;
  sizes.key_dim =
      size("linear_key_head_dim",
           own_or(family.key_dim, static_cast<int>(std::min<std::int64_t>(part, kMostHeads))));
  sizes.value_dim = size("linear_value_head_dim",
                         own_or(family.value_dim, std::min(2 * sizes.key_dim, kMostHeads)));
  if (family.reads_negatives && flag_or(json, "linear_allow_neg_eigval", true)) {
    sizes.beta_scale = 2.0F;
  }
  if (sizes.heads % sizes.key_heads != 0) {
    corrupt("'linear_num_value_heads' is " + std::to_string(sizes.heads) +
            ", which must be a multiple of 'linear_num_key_heads', " +
            std::to_string(sizes.key_heads));
  }
}

/// A bound of "time_step_limit": a number, or one that JSON has not in transformers' spelling.
float bound(const Json& value) {
  const Json* tagged = value.is_object() ? value.find("__float__") : nullptr;
  const bool infinite = tagged != nullptr && tagged->is_string() &&
                        (tagged->as_string() == "Infinity" || tagged->as_string() == "inf");
  const double number =
      infinite ? std::numeric_limits<double>::infinity() : (tagged ? *tagged : value).as_number();
  if (!(number >= 0)) {
    corrupt(value, "at least 0");
  }
  return static_cast<float>(number);
}

void read_step_limit(const Json& json, Recurrence& sizes) {
  const Json* limit = present(json, "time_step_limit");
  if (limit == nullptr) {
    return;
  }
  if (limit->items().size() != 2) {
    corrupt(*limit, "two numbers");
  }
  sizes.least_step = bound(limit->items()[0]);
  sizes.most_step = bound(limit->items()[1]);
  if (sizes.most_step < sizes.least_step || sizes.most_step == 0) {
    corrupt(limit->items()[1], "above 0 and at least 'time_step_limit[0]'");
  }
}

/// A head's numbers, of those that all heads have.
int divided(const Json& json, const RecurrentFamily& family, int hidden_size, int heads) {
  const ScanKeys& keys = family.scan;
  const bool said = !keys.all.empty() && !is_none(json, keys.all);
  const std::int64_t all =
      said ? integer_or(json, keys.all, 1, kMostChannels, family.all)
           : std::int64_t{integer_or(json, keys.expand, 1, kMostHeads, family.expand)} *
                 std::int64_t{hidden_size};
  if (all % heads != 0 || all / heads > kMostHeads) {
    const std::string what = said ? "'" + std::string(keys.all) + "'"
                                  : "'" + std::string(keys.expand) + "' times 'hidden_size'";
    corrupt("'" + std::string(keys.heads) + "' is " + std::to_string(heads) +
            ", which must divide " + std::to_string(all) + ", " + what + ", into at most " +
            std::to_string(kMostHeads));
  }
  return static_cast<int>(all / heads);
}

/// Where both a head's numbers and those of all are said.
void check_all(const Json& json, const ScanKeys& keys, const Recurrence& sizes) {
  const Json* said = keys.all.empty() ? nullptr : present(json, keys.all);
  const std::int64_t all = std::int64_t{sizes.heads} * sizes.value_dim;
  if (said != nullptr && said->as_integer() != all) {
    corrupt(*said, std::to_string(all) + ", '" + std::string(keys.heads) + "' times '" +
                       std::string(keys.head_dim) + "'");
  }
}

/// The sizes of Mamba-2.
void read_scan(const Json& json, const RecurrentFamily& family, const Config& config,
               Recurrence& sizes) {
  const ScanKeys& keys = family.scan;
  const auto size = [&](std::string_view key, int fallback) {
    return integer_or(json, key, 1, kMostHeads, fallback);
  };
  sizes.heads = size(keys.heads, family.heads);
  sizes.key_heads = size(keys.groups, family.key_heads);
  sizes.key_dim = size(keys.state, family.key_dim);
  const Json* head_dim = present(json, keys.head_dim);
  const bool computed = head_dim == nullptr
                            ? family.value_dim == 0
                            : head_dim->is_string() && head_dim->as_string() == "auto";
  if (computed) {
    sizes.value_dim = divided(json, family, config.hidden_size, sizes.heads);
  } else {
    sizes.value_dim = size(keys.head_dim, family.value_dim);
    check_all(json, keys, sizes);
  }
  if (sizes.heads % sizes.key_heads != 0) {
    corrupt("'" + std::string(keys.heads) + "' is " + std::to_string(sizes.heads) +
            ", which must be a multiple of '" + std::string(keys.groups) + "', " +
            std::to_string(sizes.key_heads));
  }
  check_silu(json, keys.activation);
  sizes.normed = keys.normed.empty() || flag_or(json, keys.normed, false);
  sizes.norm_first = !keys.norm_first.empty() && flag_or(json, keys.norm_first, true);
  read_step_limit(json, sizes);
}

/// A sum of products that sizes may make too large for what counts channels.
int counted(std::int64_t channels) {
  if (channels > kMostChannels) {
    corrupt("the convolution of a layer goes over " + std::to_string(channels) +
            " channels, which must be at most " + std::to_string(kMostChannels));
  }
  return static_cast<int>(channels);
}

std::vector<bool> recurrent_layers(const Json& json, const Config& config) {
  const RecurrentFamily& family = config.family->recurrence;
  const std::size_t layers = config.layers.size();
  if (config.family->reads_layer_kinds) {
    std::vector<bool> flags;
    for (const LayerConfig& layer : config.layers) {
      flags.push_back(!layer.attends && !layer.feeds);
    }
    return flags;
  }
  if (family.beside || family.alone) {
    return std::vector<bool>(layers, true);
  }
  if (const Json* types = present(json, "layer_types")) {
    return listed(*types, family, layers);
  }
  if (family.kind == RecurrenceKind::Mamba2) {
    return std::vector<bool>(layers, true);
  }
  if (family.lists_attention) {
    return all_but_listed(json, layers);
  }
  return family.block.empty() ? all_but_each(json, family, layers)
                              : listed_in_block(json, family, layers);
}

/// So that sums of a few of them are numbers, too.
void check_width(const char* what, int heads, int dim) {
  constexpr std::int64_t kMostNumbers = 1 << 24;
  if (const std::int64_t numbers = std::int64_t{heads} * dim; numbers > kMostNumbers) {
    corrupt("a recurrent layer's " + std::string(what) + " have " + std::to_string(numbers) +
            " numbers, which must be at most " + std::to_string(kMostNumbers));
  }
}

Recurrence read_sizes(const Json& json, const RecurrentFamily& family, const Config& config) {
  Recurrence sizes{.kind = family.kind, .norm_eps = family.norm_eps};
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
      check_silu(json, "hidden_act");
      read_heads(json, family, config, sizes);
      check_width("keys", sizes.key_heads, sizes.key_dim);
      check_width("values", sizes.heads, sizes.value_dim);
      sizes.channels = 2 * sizes.keys() + sizes.values();
      break;
    case RecurrenceKind::KimiDelta:
      read_block(json, family, sizes);
      check_width("keys", sizes.key_heads, sizes.key_dim);
      sizes.channels = 3 * sizes.keys();
      break;
    case RecurrenceKind::Mamba2:
      read_scan(json, family, config, sizes);
      sizes.channels = counted(std::int64_t{sizes.heads} * sizes.value_dim +
                               std::int64_t{2} * sizes.key_heads * sizes.key_dim);
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
    case RecurrenceKind::Mamba2:
      return 2 * (channels + values()) + heads;
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
    case RecurrenceKind::Mamba2:
      return hidden * (std::int64_t{channels} + 2 * std::int64_t{values()} + heads);
  }
  return 0;
}

void read_recurrence(const Json& json, Config& config) {
  const RecurrentFamily& family = config.family->recurrence;
  if (family.kind == RecurrenceKind::None) {
    return;
  }
  const std::vector<bool> recurrent = recurrent_layers(json, config);
  const Recurrence sizes = read_sizes(json, family, config);
  for (std::size_t i = 0; i < recurrent.size(); ++i) {
    if (!recurrent[i]) {
      continue;
    }
    config.layers[i].recurrence = sizes;
    config.layers[i].feeds = config.layers[i].feeds && !family.alone;
    if (!family.beside) {
      config.layers[i].attends = false;
      config.layers[i].rope = -1;
    }
  }
}

}  // namespace convergio::arch
