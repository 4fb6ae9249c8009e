#pragma once

#include "arch/config.h"
#include "io/json.h"

namespace convergio::arch {

/// What "kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim" and "v_head_dim" say,
/// where the family's attention is latent; else rank 0.
LatentSizes read_latent(const io::Json& json, const Family& family);

/// The sizes of each layer: those of the config, or, as far as the family's class reads it, others
/// for layers without a window ("global_head_dim", "num_global_key_value_heads"), keys that are
/// values too ("attention_k_eq_v"), last layers that share the keys and values of earlier ones
/// ("num_kv_shared_layers", "use_double_wide_mlp") and what each layer gets of a token
/// ("hidden_size_per_layer_input"). `config` has its general sizes, and what read_layers() says.
void read_geometry(const io::Json& json, Config& config);

}  // namespace convergio::arch
