#include "arch/layer_names.h"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace convergio::arch {

namespace {

/// Before the names of a model: multimodal checkpoints, and text models cut out of them, have their
/// own spellings.
constexpr std::initializer_list<const char*> kPrefixes{"model.",
                                                       "language_model.model.",
                                                       "model.language_model.",
                                                       "language_model.",
                                                       "transformer.",
                                                       "backbone.",
                                                       ""};

/// The first of `names` for which `is_there` holds; the first of all where none is, so that it is
/// what is told to be missing.
template <typename IsThere>
std::string first_of(std::initializer_list<const char*> names, const IsThere& is_there) {
  for (const char* name : names) {
    if (is_there(name)) {
      return name;
    }
  }
  return *names.begin();
}

std::string find_head(const TensorBook& book, const std::string& prefix) {
  const std::string inside = "language_model.lm_head";
  return book.has(inside) || (prefix.starts_with("language_model.") && !book.has("lm_head"))
             ? inside
             : "lm_head";
}

}  // namespace

/// Of layers that are one thing alone, which is their mixer.
void LayerNames::name_in_mixers() {
  q = "mixer.q_proj";
  k = "mixer.k_proj";
  v = "mixer.v_proj";
  o = "mixer.o_proj";
  up = "mixer.up_proj";
  down = "mixer.down_proj";
  mixer_in = ffn_in = "norm";
}

LayerNames LayerNames::find(const TensorBook& book, Placement placement, std::size_t layers) {
  LayerNames names;
  const std::string prefix = first_of(kPrefixes, [&](const std::string& one) {
    return book.has(one + "embed_tokens") || book.has(one + "wte") || book.has(one + "ln_f") ||
           book.has(one + "embeddings") || book.has(one + "norm_f");
  });
  const auto is_norm = [&](const std::string& one) {
    return book.has(prefix + one) || book.has_tensor(prefix + one + ".bias");
  };
  const bool old = prefix == "transformer.";
  const bool bare = book.has(prefix + "embeddings") || book.has(prefix + "norm_f");
  if (bare) {
    names.embedding = prefix + "embeddings";
    names.final_norm = prefix + "norm_f";
  } else {
    names.embedding = prefix + (old ? "wte" : "embed_tokens");
    names.final_norm = prefix + (old ? "ln_f" : first_of({"norm", "final_layernorm"}, is_norm));
  }
  names.head = find_head(book, prefix);
  names.block = prefix + (old ? "h." : "layers.");
  for (std::size_t i = 0; i < layers; ++i) {
    names.layers.push_back(names.layer(i));
  }

  const auto in_some_layer = [&](const std::string& module) {
    return std::ranges::any_of(names.layers,
                               [&](const auto& layer) { return book.has(layer + module); });
  };
  const auto of_layer = [&](std::initializer_list<const char*> candidates) {
    return first_of(candidates, in_some_layer);
  };
  switch (placement) {
    case Placement::Pre:
      names.mixer_in =
          of_layer({"input_layernorm", "attention_layernorm", "ln_1", "operator_norm"});
      names.ffn_in = of_layer({"post_attention_layernorm", "feedforward_layernorm", "ln_2",
                               "ffn_norm", "pre_ff_layernorm"});
      break;
    case Placement::Sandwich:
      names.mixer_in = "input_layernorm";
      names.mixer_out = of_layer({"post_self_attn_layernorm", "post_attention_layernorm"});
      names.ffn_in = of_layer({"pre_feedforward_layernorm", "post_attention_layernorm"});
      names.ffn_out = of_layer({"post_feedforward_layernorm", "post_mlp_layernorm"});
      if (names.mixer_out == names.ffn_in) {  // neither of GLM-4's own is there
        names.ffn_in = "pre_feedforward_layernorm";
      }
      break;
    case Placement::Post:
      names.mixer_out = "post_attention_layernorm";
      names.ffn_out = "post_feedforward_layernorm";
      names.recurrent_in = of_layer({"input_layernorm", "attention_layer_norm"});
      names.recurrent_ffn_in = of_layer({"feedforward_layer_norm", "post_attention_layernorm"});
      break;
    case Placement::Parallel:
      names.mixer_in = "input_layernorm";
      break;
  }
  if (names.mixer_in == "operator_norm") {
    names.final_norm = prefix + "embedding_norm";
  }
  if (names.ffn_in == "pre_ff_layernorm") {
    names.final_norm = prefix + "final_layernorm";
  }
  if (bare) {
    names.name_in_mixers();
    return names;
  }
  const bool nested = in_some_layer("attn.attention.q_proj");
  const std::string attention = nested ? "attn.attention." : "self_attn.";
  names.q = attention + "q_proj";
  names.k = attention + "k_proj";
  names.v = attention + "v_proj";
  names.qkv = attention + "qkv_proj";
  names.o = nested ? attention + "out_proj"
                   : of_layer({"self_attn.o_proj", "self_attn.dense", "self_attn.out_proj"});
  names.q_norm = of_layer({"self_attn.q_norm", "self_attn.query_layernorm", "self_attn.q_layernorm",
                           "self_attn.q_layernorm.norms.0"});
  names.k_norm = of_layer({"self_attn.k_norm", "self_attn.key_layernorm", "self_attn.k_layernorm",
                           "self_attn.k_layernorm.norms.0"});
  names.gate_out = "self_attn.gate_proj";
  names.gate_up = of_layer({"mlp.gate_up_proj", "shared_mlp.input_linear"});
  if (std::ranges::any_of(std::array{"w1", "w2", "w3"}, [&](const char* one) {
        return in_some_layer(std::string("feed_forward.") + one);
      })) {
    names.gate = "feed_forward.w1";
    names.up = "feed_forward.w3";
    names.down = "feed_forward.w2";
  } else {
    names.gate = of_layer({"mlp.gate_proj", "mlp.c_fc_0", "feed_forward.gate_proj"});
    names.up =
        of_layer({"mlp.up_proj", "mlp.c_fc_1", "mlp.c_fc", "mlp.fc1", "feed_forward.up_proj"});
    names.down = of_layer({"mlp.down_proj", "mlp.c_proj", "mlp.fc2", "feed_forward.down_proj",
                           "shared_mlp.output_linear"});
  }
  names.fused_qkv = in_some_layer(names.qkv);
  names.fused_gate_up = in_some_layer(names.gate_up);
  return names;
}

}  // namespace convergio::arch
