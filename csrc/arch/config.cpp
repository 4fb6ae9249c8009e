#include "arch/config.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "arch/experts_config.h"
#include "arch/fields.h"
#include "arch/geometry_config.h"
#include "arch/layer_config.h"
#include "arch/layer_kinds.h"
#include "arch/recurrence_config.h"
#include "arch/rope_config.h"
#include "io/error.h"
#include "io/json.h"

namespace convergio::arch {

namespace {

using io::Json;

constexpr int kMaxDim = 1 << 22;
constexpr int kMaxHeads = 1 << 14;

/// "text_config" of a multimodal model's config.json; else all of it.
const Json& text_part(const Json& root) {
  const Json* text = present(root, "text_config");
  if (text == nullptr) {
    return root;
  }
  static_cast<void>(text->members());  // throws where it is no object
  return *text;
}

const Family& family_of(const Json& root, const Json& text) {
  const Json* type = present(text, "model_type");
  if (type == nullptr) {
    type = present(root, "model_type");
  }
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

/// By a key that a family may have none of.
const Json* named(const Json& json, std::string_view key) {
  return key.empty() ? nullptr : present(json, key);
}

/// What would compute something else than the forward does.
void refuse_switches(const Json& json, const Family& family) {
  if (const Json* value = named(json, family.must_be_null)) {
    throw Error(ErrorKind::UnsupportedModel,
                "[config] " + value->where() + " is " + value->describe() + "; supported: null.");
  }
  for (const std::string_view key : {"use_bidirectional_attention", "rope_traditional",
                                     "enable_moe_block", "moe_apply_router_weight_on_input"}) {
    if (family.experts.enabled_key != nullptr && key == family.experts.enabled_key) {
      continue;
    }
    if (const Json* value = json.find(key);
        value != nullptr && value->is_bool() && value->as_bool()) {
      throw Error(ErrorKind::UnsupportedModel,
                  "[config] " + value->where() + " is true; supported: false.");
    }
  }
}

/// "gating": a gate for each head or, as the file has no tensors for it, none.
void check_gating(const Json& json) {
  const Json* gating = present(json, "gating");
  if (gating != nullptr && !gating->is_bool() && gating->as_string() != "per-head") {
    throw Error(ErrorKind::UnsupportedModel, "[config] " + gating->where() + " is " +
                                                 gating->describe() + "; supported: per-head.");
  }
}

/// How many heads and KV heads, and of how many numbers.
void read_heads(const Json& json, const Family& family, Config& config) {
  if (family.recurrence.alone) {
    config.heads = config.kv_heads = 1;  // of attention that no layer has
    config.head_dim = 2;
    return;
  }
  config.heads =
      integer_or(json, "num_attention_heads", 1, kMaxHeads, family.defaults.num_attention_heads);
  config.latent = read_latent(json, family);
  if (config.latent.rank > 0) {
    config.kv_heads = 1;
    config.head_dim = config.latent.rank + config.latent.rotated;
    return;
  }
  // null is what is computed from the others, a missing key the class's own number
  const auto own_or = [&](const char* key, int computed, int own) {
    const int fallback = is_none(json, key) || own == 0 ? computed : own;
    return integer_or(json, key, 1, kMaxHeads, fallback);
  };
  const Defaults& defaults = family.defaults;
  config.kv_heads = own_or("num_key_value_heads", config.heads, defaults.num_key_value_heads);
  config.head_dim = own_or("head_dim", config.hidden_size / config.heads, defaults.head_dim);
  if (config.heads % config.kv_heads != 0) {
    corrupt("'num_attention_heads' is " + std::to_string(config.heads) +
            ", which must be a multiple of 'num_key_value_heads', " +
            std::to_string(config.kv_heads));
  }
  if (config.head_dim < 2 || config.head_dim % 2 != 0) {
    corrupt("a head has " + std::to_string(config.head_dim) +
            " dimensions, which must be even and at least 2");
  }
}

/// "block_ff_dim", which outranks the width; unless "block_auto_adjust_ff_dim" is false, 2/3 of it
/// times a factor, up to the next multiple.
int adjusted_width(const Json& json, int width) {
  width = integer_or(json, "block_ff_dim", 1, kMaxDim, width);
  const double factor = positive_or(json, "block_ffn_dim_multiplier", 1, 3);
  const int multiple = integer_or(json, "block_multiple_of", 1, kMaxDim, 256);
  if (!flag_or(json, "block_auto_adjust_ff_dim", true)) {
    return width;
  }
  const double wanted = std::floor(factor * std::floor(2.0 * width / 3));
  const double adjusted = multiple * std::ceil(wanted / multiple);
  if (adjusted < 1 || adjusted > kMaxDim) {
    corrupt("'block_ff_dim' is " + std::to_string(width) +
            ", which 'block_ffn_dim_multiplier' and 'block_multiple_of' make " +
            std::to_string(static_cast<std::int64_t>(adjusted)) + ", which must be from 1 to " +
            std::to_string(kMaxDim));
  }
  return static_cast<int>(adjusted);
}

void read_sizes(const Json& json, const Family& family, Config& config) {
  const Defaults& defaults = family.defaults;
  config.hidden_size = integer_or(json, "hidden_size", 1, kMaxDim, defaults.hidden_size);
  if (!family.recurrence.alone) {
    config.intermediate_size =
        integer_or(json, family.width_key, 1, kMaxDim, defaults.intermediate_size);
  }
  if (family.adjusts_width) {
    config.intermediate_size = adjusted_width(json, config.intermediate_size);
  }
  config.vocab_size = integer_or(json, "vocab_size", 1, 1 << 26, defaults.vocab_size);
  read_heads(json, family, config);

  const Json* positions = present(json, family.positions_key);
  config.max_positions =
      positions == nullptr ? defaults.max_position_embeddings : tokens_of(*positions);
  config.context_window = static_cast<int>(std::min<double>(config.max_positions, kMostTokens));
}

void read_scalars(const Json& json, const Family& family, Config& config) {
  const Defaults& defaults = family.defaults;
  config.norm_eps =
      static_cast<float>(positive_or(json, family.norm_eps_key, defaults.rms_norm_eps));
  config.post_norm_eps =
      defaults.post_norm_eps == 0
          ? config.norm_eps
          : static_cast<float>(positive_or(json, "post_norm_eps", defaults.post_norm_eps));
  const int head_dim =
      family.latent ? config.latent.plain + config.latent.rotated : config.head_dim;
  double scale = defaults.attention_scale > 0 ? defaults.attention_scale : 1 / std::sqrt(head_dim);
  if (family.reads_qk_scale) {
    scale *= positive_or(json, "qk_scale_factor", defaults.qk_scale_factor);
  }
  if (family.reads_soft_caps || family.reads_final_soft_cap) {
    config.logits_softcap = static_cast<float>(
        optional_or(json, "final_logit_softcapping", defaults.final_logit_softcapping));
  }
  if (family.reads_soft_caps) {
    config.attention_softcap = static_cast<float>(
        optional_or(json, "attn_logit_softcapping", defaults.attn_logit_softcapping));
    scale =
        1 / std::sqrt(positive_or(json, "query_pre_attn_scalar", defaults.query_pre_attn_scalar));
  }
  if (family.embedding_scaled) {
    config.embedding_multiplier = static_cast<float>(std::sqrt(config.hidden_size));
  }
  if (family.reads_multipliers) {
    scale = positive_or(json, "attention_multiplier", 1);
    config.logits_divisor = static_cast<float>(positive_or(json, "logits_scaling", 1));
    config.residual_multiplier = static_cast<float>(positive_or(json, "residual_multiplier", 1));
    config.embedding_multiplier = static_cast<float>(positive_or(json, "embedding_multiplier", 1));
  }
  if (family.reads_part_multipliers) {
    config.multipliers = read_multipliers(json);
    config.embedding_multiplier =
        static_cast<float>(positive_or(json, "embedding_multiplier", 1, kFactorDigits));
  }
  if (!family.logits_multiplier_key.empty()) {
    config.logits_divisor = static_cast<float>(
        1 / positive_or(json, family.logits_multiplier_key, defaults.logits_multiplier));
  }
  config.attention_scale = static_cast<float>(scale);
}

/// "attn_temperature_tuning", which older files have a number for.
void read_tuning(const Json& json, Config& config) {
  const Json* tuned = present(json, "attn_temperature_tuning");
  const bool off =
      tuned != nullptr && !(tuned->is_bool() ? tuned->as_bool() : tuned->as_number() != 0);
  if (off) {
    return;
  }
  const Json* period = present(json, "floor_scale");
  config.temperature_beta = static_cast<float>(optional_or(json, "attn_scale", 0.1));
  config.temperature_period = period == nullptr ? 8192 : tokens_of(*period);
  config.temperature_offset = 1;
  config.tempers_unrotated = true;
}

}  // namespace

Config Config::parse(std::string_view text) {
  const Json root = Json::parse(text, "config.json", {.allow_nan = true});
  if (!root.is_object()) {
    corrupt("it holds " + root.describe() + ", which must be an object");
  }
  const Json& json = text_part(root);
  Config config;
  config.family = &family_of(root, json);
  refuse_switches(json, *config.family);
  if (config.family->reads_gating) {
    check_gating(json);
  }
  read_sizes(json, *config.family, config);
  read_scalars(json, *config.family, config);

  config.placement = config.family->placement;
  if (config.family->reads_parallel && flag_or(json, "use_parallel_residual", false)) {
    config.placement = Placement::Parallel;
  }
  const Json* activation = named(json, config.family->activation_key);
  config.activation = activation == nullptr ? std::string(config.family->defaults.activation)
                                            : activation->as_string();
  if (config.family->gelu_is_tanh && config.activation == "gelu") {
    config.activation = "gelu_pytorch_tanh";
  }
  const Json* tied = named(json, config.family->tied_key);
  if (tied == nullptr) {
    tied = present(json, "tie_word_embeddings");
  }
  if (tied == nullptr) {
    tied = present(root, "tie_word_embeddings");  // Qwen3-VL has it there alone
  }
  if (tied != nullptr) {
    config.tied = tied->as_bool();
  } else if (config.family->defaults.tie_word_embeddings) {
    config.tied = true;
  }
  const Family& family = *config.family;
  config.head_bias = family.head_bias || (family.head_bias_key != nullptr &&
                                          flag_or(json, family.head_bias_key, false));
  config.rope_interleaved = config.family->reads_rope_interleave
                                ? flag_or(json, "rope_interleave", config.family->rope_interleaved)
                                : config.family->rope_interleaved;
  config.norms_add_one = family.norm_adds_one;
  config.norms_rotated = family.reads_qk_norm && flag_or(json, "use_qk_norm", true);
  if (family.reads_tuning) {
    read_tuning(json, config);
  }
  config.layers = read_layers(json, *config.family);
  read_geometry(json, config);
  read_recurrence(json, config);
  config.ropes = read_ropes(json, config);
  if (!family.reads_layer_kinds || has_sparse_layer(config.layers)) {
    config.experts = read_experts(json, family.experts);
  }
  if (config.experts) {
    config.experts->gated = family.gated;
  }
  config.draft_layers = integer_or(json, "num_nextn_predict_layers", 0, 1 << 10, 0);
  config.quantization = QuantizationBlock::read(root, family.experts.published_method);
  return config;
}

}  // namespace convergio::arch
