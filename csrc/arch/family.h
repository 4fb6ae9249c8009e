#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "arch/experts.h"
#include "arch/recurrence.h"

namespace convergio::arch {

/// Where a block's norms stand, and under which names checkpoints keep them.
enum class Placement : std::uint8_t {
  Pre,       ///< x + f(norm(x))
  Sandwich,  ///< x + norm(f(norm(x)))
  Post,      ///< x + norm(f(x))
  Parallel,  ///< x + attention(norm(x)) + feed-forward(norm(x)), one norm for both
};

/// Which layers see a sliding window, where config.json lists no "layer_types".
enum class Sliding : std::uint8_t {
  Never,
  All,                   ///< every layer
  AllIfUsed,             ///< every layer, once "use_sliding_window" is true
  FromWindowLayer,       ///< layers from "max_window_layers" on, once "use_sliding_window" is true
  EvenBelowWindowLayer,  ///< layers 0, 2, … below "max_window_layers", under the same condition
  WithoutRope,           ///< layers without rotary embedding, once "use_sliding_window" is true
  WithRope,              ///< layers with a rotary embedding
  AllButEach,            ///< all but each n-th, n from the row
  Pattern,  ///< all but each "sliding_window_pattern"-th, or as its letters L and G say
};

/// What config.json means where a key is missing: the defaults of the published configuration class
/// (transformers' configuration_<model_type>.py), in config.json's own words.
struct Defaults {
  int vocab_size;
  int hidden_size;
  int intermediate_size;
  int num_hidden_layers;
  int num_attention_heads;
  int num_key_value_heads = 0;  ///< 0: num_attention_heads
  int head_dim = 0;             ///< 0: hidden_size / num_attention_heads
  int max_position_embeddings;
  int original_max_position_embeddings = 0;  ///< 0: max_position_embeddings
  double rms_norm_eps = 1e-6;                ///< whatever the class calls it (Family::norm_eps_key)
  double post_norm_eps = 0.0;                ///< 0: that of the other norms
  double rope_theta = 10000.0;
  double partial_rotary_factor = 1.0;
  double rope_local_base_freq = 0.0;  ///< 0: sliding layers have the base of the others
  int sliding_window = 0;             ///< tokens; 0: none
  int max_window_layers = 28;
  int sliding_window_pattern = 1;  ///< and the n of Sliding::AllButEach
  int no_rope_layer_interval = 0;  ///< n > 0: each n-th layer has no rotary embedding
  int global_head_dim = 0;
  int hidden_size_per_layer_input = 0;
  int vocab_size_per_layer_input = 1;
  double attention_scale = 0.0;  ///< of no key of config.json; 0: 1 / sqrt(head_dim)
  double attn_logit_softcapping = 0.0;
  double final_logit_softcapping = 0.0;
  double query_pre_attn_scalar = 0.0;
  double logits_multiplier = 1.0;  ///< Family::logits_multiplier_key
  double qk_scale_factor = 1.0;
  int q_lora_rank = 0;       ///< 0: queries of latent attention are projected at once
  int kv_lora_rank = 0;      ///< Family::latent
  int qk_nope_head_dim = 0;  ///< likewise
  int qk_rope_head_dim = 0;  ///< likewise
  int v_head_dim = 0;        ///< likewise
  /// "rope_parameters", as JSON, of a class that scales where config.json has neither those nor
  /// "rope_scaling"; empty: no scaling.
  std::string_view rope_parameters{};
  std::string_view activation = "silu";
  bool tie_word_embeddings = false;
};

/// What neither config.json nor the names of the tensors tell about a model_type, and which keys
/// its class reads: what it does not read is ignored, whatever it holds. A new family of
/// decoder-only transformers is a row in families.cpp.
struct Family {
  std::string_view model_type;
  /// Other values of "model_type" that mean this row: those of multimodal checkpoints, and of the
  /// text model inside one where that is called otherwise.
  std::array<std::string_view, 3> also{};
  Placement placement = Placement::Pre;
  Sliding sliding = Sliding::Never;
  bool fits_float16 = false;      ///< published in float16 too: activations keep to its range
  bool layer_norm = false;        ///< norms subtract the mean (Ba et al. 2016)
  bool norm_adds_one = false;     ///< norms multiply by 1 + weight
  bool final_norm_plain = false;  ///< but the final one by its weight
  bool converted_norms_plain =
      false;                  ///< nor those of a checkpoint whose convolutions are converted
  bool bare_qk_norm = false;  ///< each head of q and k is normed without a weight
  bool bare_v_norm = false;   ///< and each head of v
  bool qk_norm_after_rope = false;
  bool gated_queries = false;  ///< q has, for each head, a query and a gate of what it attends to
  bool reads_qk_norm =
      false;                  ///< "use_qk_norm": heads that are rotated are normed without a weight
  bool gated = true;          ///< down(activation(gate) · up); else down(activation(up))
  bool gelu_is_tanh = false;  ///< "gelu" in published files means its tanh approximation
  bool head_bias = false;     ///< a head of its own has a bias
  const char* head_bias_key = nullptr;  ///< or where this key of config.json is true
  bool rope_interleaved = false;        ///< neighbours rotate together, not the halves of a head
  bool embedding_normed = false;        ///< embeddings pass a norm without a weight
  bool embedding_scaled = false;        ///< embeddings are multiplied by sqrt(hidden_size)
  bool without_rope = false;            ///< no layer is rotated
  bool null_theta_is_none = false;      ///< nor where "rope_theta" is null
  bool recurrent_pre = false;           ///< recurrent layers have norms as in Placement::Pre
  bool full_without_rope = false;  ///< once there is a window, only layers that slide are rotated
  bool local_rope = false;         ///< sliding layers have a rotary table of their own, unscaled
  bool latent = false;   ///< latent attention: "kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", …
  bool chunked = false;  ///< windows are chunks: "attention_chunk_size", "chunked_attention"
  bool reads_layer_types = true;
  bool reads_layer_kinds = false;       ///< each layer is one thing alone (layer_kinds.h)
  bool reads_partial_rotary = false;    ///< "partial_rotary_factor"
  bool reads_rotary_dim = false;        ///< "rotary_dim", of each head
  bool reads_soft_caps = false;         ///< and "query_pre_attn_scalar"
  bool reads_final_soft_cap = false;    ///< "final_logit_softcapping" alone
  bool reads_gating = false;            ///< "gating": whether a head of attention is gated
  bool reads_layer_heads = false;       ///< "num_attention_heads_per_layer"
  bool reads_global_geometry = false;   ///< "global_head_dim", "num_kv_shared_layers", …
  bool reads_layer_rope_theta = false;  ///< "layer_rope_theta": 0 for layers that are not rotated
  bool proportional_rope = false;       ///< where no rope type is given for full layers
  bool reads_position_type = false;     ///< "position_embedding_type": layers are rotated by "rope"
  bool reads_multipliers = false;       ///< "attention_multiplier", "logits_scaling", …
  bool reads_part_multipliers = false;  ///< "key_multiplier", "ssm_multipliers", … (multipliers.h)
  bool reads_qk_scale = false;          ///< "qk_scale_factor"
  bool reads_temperature = false;       ///< "llama_4_scaling_beta" of "rope_parameters"
  bool reads_tuning = false;  ///< "attn_temperature_tuning", of layers that are not rotated
  bool reads_rope_interleave = false;  ///< "rope_interleave": else interleaved as above
  bool reads_rope_alpha = false;       ///< "alpha" of a dynamic "rope_scaling" raises the base
  bool reads_rope_mscales = false;     ///< "short_mscale", "long_mscale" of a longrope
  bool reads_parallel = false;         ///< "use_parallel_residual": else placed as above
  bool yarn_is_longrope = false;       ///< an older name
  bool adjusts_width = false;          ///< "block_ff_dim", "block_auto_adjust_ff_dim", …
  std::string_view activation_key = "hidden_act";  ///< empty: it is the default
  std::string_view must_be_null{};  ///< a key whose values change what is computed; empty: none
  ExpertFamily experts{};
  RecurrentFamily recurrence{};
  std::string_view norm_eps_key = "rms_norm_eps";
  std::string_view width_key = "intermediate_size";
  std::string_view layers_key = "num_hidden_layers";
  std::string_view positions_key = "max_position_embeddings";
  std::string_view tied_key = "";  ///< what outranks "tie_word_embeddings"; empty: nothing
  std::string_view logits_multiplier_key = "";  ///< empty: none
  Defaults defaults;
};

/// The table: every row, in the order of families.cpp.
std::span<const Family> families();

/// The row of a model_type, by its own name or another; nullptr where there is none.
const Family* find_family(std::string_view model_type);

}  // namespace convergio::arch
