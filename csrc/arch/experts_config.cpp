#include "arch/experts_config.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "arch/fields.h"
#include "io/error.h"

namespace convergio::arch {

namespace {

using io::Json;

constexpr int kMaxExperts = 1 << 14;
constexpr int kMaxWidth = 1 << 22;

std::string said(const char* key, int value) {
  return "'" + std::string(key) + "' is " + std::to_string(value);
}

/// Whether "topk_method" chooses groups first.
bool has_groups(const Json& json, const ExpertFamily& family) {
  const Json* method = family.method.empty() ? nullptr : present(json, "topk_method");
  if (method == nullptr) {
    return family.ungrouped_method.empty();
  }
  const std::string& name = method->as_string();
  if (name != family.method && (name.empty() || name != family.ungrouped_method)) {
    const std::string other(family.ungrouped_method);
    throw Error(ErrorKind::UnsupportedModel,
                "[config] " + method->where() + " is " + method->describe() + "; supported: " +
                    (other.empty() ? "" : other + ", ") + std::string(family.method) + ".");
  }
  return name == family.method;
}

void read_groups(const Json& json, const ExpertFamily& family, Router& router) {
  const char* count_key = family.count_key;
  const char* groups_key = family.groups_key;
  const int experts = router.experts;
  router.groups =
      integer_or(json, groups_key, 1, kMaxExperts, is_none(json, groups_key) ? 1 : family.groups);
  router.chosen_groups = integer_or(json, "topk_group", 1, kMaxExperts,
                                    is_none(json, "topk_group") ? 1 : family.chosen_groups);
  router.group_best = family.group_best;
  if (experts % router.groups != 0) {
    corrupt(said(groups_key, router.groups) + ", which must divide '" + count_key + "', " +
            std::to_string(experts));
  }
  if (router.chosen_groups > router.groups) {
    corrupt(said("topk_group", router.chosen_groups) + ", which must be at most '" + groups_key +
            "', " + std::to_string(router.groups));
  }
  const int size = experts / router.groups;
  if (router.groups > 1 && size < router.group_best) {
    corrupt(said(groups_key, router.groups) + " of " + std::to_string(experts) +
            " experts; a group must have at least " + std::to_string(router.group_best));
  }
}

int needed(int value, const char* key) {
  if (value == 0) {
    corrupt("'" + std::string(key) + "' is missing");
  }
  return value;
}

Router read_router(const Json& json, const ExpertFamily& family) {
  Router router{.score = family.score};
  const auto count = [&](const char* key, int fallback) {
    return needed(integer_or(json, key, 1, kMaxExperts, fallback), key);
  };
  router.experts = count(family.count_key, family.count);
  router.chosen = count(family.chosen_key, family.chosen);
  if (router.chosen > router.experts) {
    corrupt(said(family.chosen_key, router.chosen) + ", which must be at most '" +
            family.count_key + "', " + std::to_string(router.experts));
  }
  router.normalized = family.reads_normalized
                          ? flag_or(json, family.normalized_key, family.normalized)
                          : family.normalized;
  router.scale = static_cast<float>(family.scale);
  if (family.reads_groups) {
    if (has_groups(json, family)) {
      read_groups(json, family, router);
    }
    const int reachable = router.chosen_groups * (router.experts / router.groups);
    if (router.chosen > reachable) {
      corrupt(said(family.chosen_key, router.chosen) + ", which must be at most the " +
              std::to_string(reachable) + " experts of 'topk_group' groups");
    }
    router.scale = static_cast<float>(positive_or(json, "routed_scaling_factor", family.scale));
  }
  if (family.scale_key != nullptr) {
    router.scale = static_cast<float>(positive_or(json, family.scale_key, family.scale));
  }
  if (family.softcap_key != nullptr) {
    router.softcap = static_cast<float>(optional_or(json, family.softcap_key, 0));
  }
  if (family.reads_jitter) {
    router.jitter = static_cast<float>(optional_or(json, "router_jitter_noise", family.jitter));
  }
  return router;
}

int shared_width(const Json& json, const ExpertFamily& family, int width) {
  if (family.shared_width_key != nullptr) {
    return integer_or(json, family.shared_width_key, 0, kMaxWidth, family.shared_width);
  }
  if (family.shared_count_key == nullptr) {
    return 0;
  }
  const int fallback = is_none(json, family.shared_count_key) ? 0 : family.shared_count;
  const int count = integer_or(json, family.shared_count_key, 0, kMaxExperts, fallback);
  if (count > kMaxWidth / width) {
    corrupt(said(family.shared_count_key, count) + " with experts of width " +
            std::to_string(width) + ", which together must be at most " +
            std::to_string(kMaxWidth));
  }
  return count * width;
}

/// "moe_layers", of a family whose layers it lists.
const Json* list_of(const Json& json, const ExpertFamily& family) {
  return family.sparse == Sparse::Listed ? present(json, "moe_layers") : nullptr;
}

bool has_experts(const Json& json, const ExpertFamily& family) {
  if (const Json* list = list_of(json, family); list != nullptr && list->items().empty()) {
    return false;
  }
  if (family.may_have_none && family.count_key != nullptr) {
    const Json* count = json.find(family.count_key);
    if (count != nullptr &&
        (count->is_null() || (count->is_integer() && count->as_integer() == 0))) {
      return false;
    }
  }
  return family.count_key != nullptr &&
         (family.enabled_key == nullptr || flag_or(json, family.enabled_key, false));
}

/// As flags: those of the layers that are there.
std::vector<bool> flags_of(const Json& list, std::size_t layers) {
  std::vector<bool> flags(layers, false);
  for (const Json& index : list.items()) {
    const std::int64_t layer = index.as_integer();
    if (layer >= 0 && layer < static_cast<std::int64_t>(layers)) {
      flags[static_cast<std::size_t>(layer)] = true;
    }
  }
  return flags;
}

std::vector<bool> each(int step, std::size_t layers) {
  std::vector<bool> flags(layers);
  for (std::size_t i = 0; i < layers; ++i) {
    flags[i] = (i + 1) % static_cast<std::size_t>(step) == 0;
  }
  return flags;
}

std::vector<bool> stepped(const Json& json, std::size_t layers) {
  std::vector<bool> sparse =
      each(integer_or(json, "decoder_sparse_step", 1, kMaxExperts, 1), layers);
  if (const Json* list = present(json, "mlp_only_layers")) {
    const std::vector<bool> dense = flags_of(*list, layers);
    for (std::size_t i = 0; i < layers; ++i) {
      sparse[i] = sparse[i] && !dense[i];
    }
  }
  return sparse;
}

/// "mlp_layer_types", as flags.
std::vector<bool> typed(const Json& types, int layers) {
  if (types.items().size() != static_cast<std::size_t>(layers)) {
    corrupt("'mlp_layer_types' lists " + std::to_string(types.items().size()) +
            " layers and 'num_hidden_layers' is " + std::to_string(layers));
  }
  std::vector<bool> sparse;
  for (const Json& type : types.items()) {
    if (type.as_string() != "dense" && type.as_string() != "sparse") {
      throw Error(ErrorKind::UnsupportedModel, "[config] " + type.where() + " is " +
                                                   type.describe() + "; supported: dense, sparse.");
    }
    sparse.push_back(type.as_string() == "sparse");
  }
  return sparse;
}

/// All but the first ones.
std::vector<bool> after(int first, int layers) {
  std::vector<bool> sparse(static_cast<std::size_t>(layers), true);
  std::fill_n(sparse.begin(), std::min(first, layers), false);
  return sparse;
}

/// Of the layers between two, both sparse, each "moe_layer_interval"-th of all.
std::vector<bool> spanned(const Json& json, const ExpertFamily& family, int layers) {
  constexpr int kMost = std::numeric_limits<int>::max();
  const int first = integer_or(json, "moe_layer_start_index", 0, kMost, family.first_dense);
  const int end = integer_or(json, "moe_layer_end_index", -1, kMost, -1);  // -1: the last one
  const int last = end == -1 ? layers - 1 : end;
  const int step = integer_or(json, "moe_layer_interval", 1, kMaxExperts, 1);
  std::vector<bool> sparse(static_cast<std::size_t>(layers));
  for (int i = 0; i < layers; ++i) {
    sparse[static_cast<std::size_t>(i)] = i >= first && i <= last && (i + 1) % step == 0;
  }
  return sparse;
}

}  // namespace

std::optional<Experts> read_experts(const Json& json, const ExpertFamily& family) {
  if (!has_experts(json, family)) {
    return std::nullopt;
  }
  Experts experts{.router = read_router(json, family)};
  experts.width =
      needed(integer_or(json, family.width_key, 1, kMaxWidth, family.width), family.width_key);
  experts.shared_width = shared_width(json, family, experts.width);
  experts.weighs_input = family.weighs_input;
  if (family.latent_key != nullptr) {
    experts.latent = integer_or(json, family.latent_key, 1, kMaxWidth, 0);
  }
  experts.swiglu_alpha = static_cast<float>(family.swiglu_alpha);
  experts.swiglu_limit = static_cast<float>(family.swiglu_limit);
  if (family.reads_swiglu) {
    experts.swiglu_alpha =
        static_cast<float>(positive_or(json, "swiglu_alpha", family.swiglu_alpha));
    experts.swiglu_limit =
        static_cast<float>(positive_or(json, "swiglu_limit", family.swiglu_limit));
  }
  return experts;
}

std::vector<bool> sparse_layers(const Json& json, const ExpertFamily& family, int layers) {
  const auto count = static_cast<std::size_t>(layers);
  if (!has_experts(json, family)) {
    return std::vector<bool>(count, false);
  }
  switch (family.sparse) {
    case Sparse::All:
      break;
    case Sparse::Steps:
      return stepped(json, count);
    case Sparse::Listed: {
      const Json* list = list_of(json, family);
      return list != nullptr
                 ? flags_of(*list, count)
                 : each(integer_or(json, "interleave_moe_layer_step", 1, kMaxExperts, 1), count);
    }
    case Sparse::Span:
      return spanned(json, family, layers);
    case Sparse::Typed: {
      const Json* types = present(json, "mlp_layer_types");
      return types != nullptr ? typed(*types, layers) : after(family.first_dense, layers);
    }
    case Sparse::AfterFirst: {
      const int first = integer_or(json, family.first_dense_key, 0, std::numeric_limits<int>::max(),
                                   family.first_dense);
      std::vector<bool> sparse = after(first, layers);
      const int step =
          family.reads_layer_freq ? integer_or(json, "moe_layer_freq", 1, kMaxExperts, 1) : 1;
      for (std::size_t i = 0; i < count; ++i) {
        sparse[i] = sparse[i] && i % static_cast<std::size_t>(step) == 0;
      }
      return sparse;
    }
  }
  return std::vector<bool>(count, true);
}

}  // namespace convergio::arch
