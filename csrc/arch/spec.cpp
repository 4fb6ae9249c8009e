#include "arch/spec.h"

#include <algorithm>
#include <string>
#include <utility>

#include "arch/layer_names.h"
#include "io/error.h"

namespace convergio::arch {

namespace {

void resolve_norms(TensorBook& book, const Config& config, const std::string& layer,
                   const LayerNames& names, LayerSpec& spec) {
  const auto norm = [&](const std::string& name) -> std::optional<NormSpec> {
    if (name.empty()) {
      return std::nullopt;
    }
    return book.norm(layer + name, config.hidden_size);
  };
  if (config.family->recurrent_pre && spec.config.recurrence.is_there()) {
    spec.mixer_in = norm(names.recurrent_in);
    spec.ffn_in = norm(names.recurrent_ffn_in);
    return;
  }
  if (spec.config.mixes()) {
    spec.mixer_in = norm(names.mixer_in);
    spec.mixer_out = norm(names.mixer_out);
  }
  if (spec.config.feeds) {
    spec.ffn_in = norm(names.ffn_in);
    spec.ffn_out = norm(names.ffn_out);
  }
}

/// The keys and values of a layer that has its own.
void resolve_keys(TensorBook& book, const Config& config, const std::string& layer,
                  const LayerNames& names, LayerSpec& spec) {
  const LayerConfig& sizes = spec.config;
  const int kv_width = sizes.kv_heads * sizes.head_dim;
  spec.qkv.push_back(book.matrix(layer + names.k, kv_width, config.hidden_size));
  if (!sizes.keys_are_values) {
    spec.qkv.push_back(book.matrix(layer + names.v, kv_width, config.hidden_size));
  }
}

void resolve_attention(TensorBook& book, const Config& config, const std::string& layer,
                       const LayerNames& names, LayerSpec& spec) {
  const LayerConfig& sizes = spec.config;
  const int q_width = sizes.heads * sizes.head_dim;
  const int kv_width = sizes.kv_heads * sizes.head_dim;
  const int queries = sizes.gated_queries ? 2 * q_width : q_width;
  if (names.fused_qkv) {
    spec.qkv = {book.matrix(layer + names.qkv, queries + 2 * kv_width, config.hidden_size)};
  } else {
    spec.qkv = {book.matrix(layer + names.q, queries, config.hidden_size)};
    if (!sizes.shares_keys()) {
      resolve_keys(book, config, layer, names, spec);
    } else {
      book.ignore(layer + names.k);  // raw checkpoints have them, and do not use them
      book.ignore(layer + names.v);
      book.ignore(layer + names.k_norm);
    }
  }
  spec.attention_o = book.matrix(layer + names.o, config.hidden_size, q_width);
  if (book.has_optional(layer + names.gate_out + ".weight")) {
    spec.attention_gate = book.matrix(layer + names.gate_out, q_width, config.hidden_size);
  }
  if (const std::string gate = layer + "self_attn.g_proj"; book.has_optional(gate + ".weight")) {
    spec.head_gate = book.matrix(gate, sizes.heads, config.hidden_size);
  }
  if (const std::string sinks = layer + "self_attn.sinks"; book.has_optional(sinks)) {
    spec.sinks = sinks;
    book.vector(sinks, sizes.heads);
  }
  if (config.family->bare_qk_norm || (config.norms_rotated && sizes.rope >= 0)) {
    spec.q_norm = spec.k_norm = NormSpec{.name = {}, .width = sizes.head_dim};
  } else {
    spec.q_norm = book.head_norm(layer + names.q_norm, sizes.heads, sizes.head_dim);
    if (!sizes.shares_keys()) {
      spec.k_norm = book.head_norm(layer + names.k_norm, sizes.kv_heads, sizes.head_dim);
    }
  }
  if (config.family->bare_v_norm) {
    spec.v_norm = NormSpec{.name = {}, .width = sizes.head_dim};
  }
}

void resolve_latent(TensorBook& book, const Config& config, const std::string& layer,
                    const LayerNames& names, LayerSpec& spec) {
  const LatentSizes& sizes = spec.config.latent;
  const int heads = spec.config.heads;
  const int hidden = config.hidden_size;
  const int queries = heads * (sizes.plain + sizes.rotated);
  const std::string attention = layer + "self_attn.";
  LatentSpec& latent = spec.latent.emplace();
  if (sizes.q_rank > 0) {
    latent.q_down = book.matrix(attention + "q_a_proj", sizes.q_rank, hidden);
    latent.q_norm = book.norm(attention + "q_a_layernorm", sizes.q_rank);
    latent.q = book.matrix(attention + "q_b_proj", queries, sizes.q_rank);
  } else {
    latent.q = book.matrix(layer + names.q, queries, hidden);
  }
  latent.kv_down =
      book.matrix(attention + "kv_a_proj_with_mqa", sizes.rank + sizes.rotated, hidden);
  latent.kv_norm = book.norm(attention + "kv_a_layernorm", sizes.rank);
  if (book.has(attention + "embed_q") || book.has(attention + "unembed_out")) {
    latent.heads = {book.matrix(attention + "embed_q", sizes.rank, sizes.plain, heads),
                    book.matrix(attention + "unembed_out", sizes.value, sizes.rank, heads)};
  } else {
    const int outputs = heads * (sizes.plain + sizes.value);
    latent.heads = {book.matrix(attention + "kv_b_proj", outputs, sizes.rank)};
  }
  for (const MatrixSpec& matrix : latent.heads) {
    book.expect_no_bias(matrix);
  }
  spec.attention_o = book.matrix(layer + names.o, hidden, heads * sizes.value);
}

/// A feed-forward's matrices before its activation, where each is a tensor of its own.
std::vector<MatrixSpec> gate_and_up(TensorBook& book, const Config& config, const std::string& gate,
                                    const std::string& up, int width) {
  std::vector<MatrixSpec> both;
  if (config.family->gated) {
    both.push_back(book.matrix(gate, width, config.hidden_size));
  }
  both.push_back(book.matrix(up, width, config.hidden_size));
  return both;
}

/// Experts, and what every token goes through beside them, where there is that.
void resolve_mixture(TensorBook& book, const Config& config, const std::string& layer,
                     const LayerNames& names, LayerSpec& spec) {
  const int hidden = config.hidden_size;
  spec.experts = resolve_experts(book, config, layer);
  const bool apart = config.family->experts.apart;
  if (apart) {
    const std::string scale = layer + "router.scale";
    book.vector(scale, hidden);
    spec.apart = ApartSpec{.router_in = scale,
                           .experts_in = book.norm(layer + "pre_feedforward_layernorm_2", hidden),
                           .experts_out = book.norm(layer + "post_feedforward_layernorm_2", hidden),
                           .dense_out = book.norm(layer + "post_feedforward_layernorm_1", hidden)};
  }
  const int width = apart ? spec.config.intermediate_size : config.experts->shared_width;
  if (width == 0) {
    return;
  }
  if (config.family->gated && names.gate_up.starts_with("shared_mlp.")) {
    spec.gate_up = {book.matrix(layer + names.gate_up, 2 * width, hidden)};
    spec.ffn_down = book.matrix(layer + names.down, hidden, width);
    return;
  }
  const std::string ffn = shared_experts(book, layer);
  if (config.family->experts.shared_gated) {
    spec.shared_gate = book.matrix(ffn.substr(0, ffn.size() - 1) + "_gate", 1, hidden);
  }
  spec.gate_up = gate_and_up(book, config, ffn + "gate_proj", ffn + "up_proj", width);
  spec.ffn_down = book.matrix(ffn + "down_proj", hidden, width);
}

void resolve_ffn(TensorBook& book, const Config& config, const std::string& layer,
                 const LayerNames& names, LayerSpec& spec) {
  if (spec.config.sparse) {
    resolve_mixture(book, config, layer, names, spec);
    return;
  }
  const int width = spec.config.intermediate_size;
  if (names.fused_gate_up && config.family->gated && !config.family->reads_part_multipliers) {
    spec.gate_up = {book.matrix(layer + names.gate_up, 2 * width, config.hidden_size)};
  } else {
    spec.gate_up = gate_and_up(book, config, layer + names.gate, layer + names.up, width);
  }
  spec.ffn_down = book.matrix(layer + names.down, config.hidden_size, width);
  if (config.activation == "xielu") {
    spec.xielu = layer + "mlp.act_fn";
    for (const char* parameter : {".alpha_p", ".alpha_n", ".beta", ".eps"}) {
      book.scalar(spec.xielu + parameter);
    }
  }
}

/// What a layer gets beside the hidden state, and the scalar at its end.
void resolve_extras(TensorBook& book, const Config& config, const std::string& layer,
                    LayerSpec& spec) {
  if (const int size = config.per_layer_size; size > 0) {
    spec.per_layer = PerLayerSpec{
        .gate = book.matrix(layer + "per_layer_input_gate", size, config.hidden_size),
        .projection = book.matrix(layer + "per_layer_projection", config.hidden_size, size),
        .norm = book.norm(layer + "post_per_layer_input_norm", config.hidden_size)};
  }
  if (book.has_optional(layer + "layer_scalar")) {
    spec.scalar = layer + "layer_scalar";
    book.scalar(spec.scalar);
  }
}

std::size_t idle_experts(const TensorBook& book, const ExpertsSpec& experts, const Router& router) {
  const auto count = static_cast<std::size_t>(router.experts);
  return bytes_of_experts(book, experts) / count *
         (count - static_cast<std::size_t>(router.chosen));
}

PerLayerInputSpec resolve_per_layer(TensorBook& book, const Config& config,
                                    const std::string& embedding) {
  const std::string prefix =
      embedding.substr(0, embedding.size() - std::string("embed_tokens").size());
  const int width = config.per_layer_size * static_cast<int>(config.layers.size());
  return {
      .embedding = book.matrix(prefix + "embed_tokens_per_layer", config.per_layer_vocab, width),
      .projection = book.matrix(prefix + "per_layer_model_projection", width, config.hidden_size),
      .norm = book.norm(prefix + "per_layer_projection_norm", config.per_layer_size)};
}

/// What conversion by mlx-lm has changed of the numbers.
void take_as_converted(Config& config, const ModelSpec& spec, const std::vector<MatrixSpec>& all) {
  if (config.family->converted_norms_plain) {
    config.norms_add_one = false;
  }
  if (!config.family->reads_part_multipliers) {
    return;
  }
  const auto biased = std::ranges::find_if(all, &MatrixSpec::bias);
  if (config.multipliers.are_there() && biased != all.end()) {
    throw Error(ErrorKind::UnsupportedModel,
                "[model] '" + biased->bias_name() +
                    "' is in a converted checkpoint whose matrices have been multiplied and whose "
                    "biases have not; use the checkpoint as it was published.");
  }
  config.multipliers = config.multipliers.of_converted();
  // the head has been multiplied, or is the embedding, which has
  config.logits_divisor = spec.head ? 1.0F : config.logits_divisor * config.embedding_multiplier;
  config.embedding_multiplier = 1.0F;
}

}  // namespace

ModelSpec ModelSpec::resolve(Config config, const io::Checkpoint& checkpoint) {
  TensorBook book(checkpoint, config);
  ModelSpec spec;
  const LayerNames names = LayerNames::find(book, config.placement, config.layers.size());
  spec.embedding = book.matrix(names.embedding, config.vocab_size, config.hidden_size);
  spec.final_norm = book.norm(names.final_norm, config.hidden_size);
  if (config.per_layer_size > 0) {
    spec.per_layer = resolve_per_layer(book, config, names.embedding);
    const std::size_t table = book.bytes_of(spec.per_layer->embedding);
    spec.idle_bytes += table - table / static_cast<std::size_t>(config.per_layer_vocab);
  }
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const std::string& name = names.layers[i];
    LayerSpec& layer = spec.layers.emplace_back();
    layer.config = config.layers[i];
    resolve_norms(book, config, name, names, layer);
    if (layer.config.attends) {
      (layer.config.latent.rank > 0 ? resolve_latent : resolve_attention)(book, config, name, names,
                                                                          layer);
    }
    layer.recurrence = resolve_recurrence(book, config, layer.config.recurrence, name);
    if (layer.config.feeds) {
      resolve_ffn(book, config, name, names, layer);
    }
    resolve_extras(book, config, name, layer);
    if (layer.experts) {
      spec.idle_bytes += idle_experts(book, *layer.experts, config.experts->router);
    }
  }
  for (int i = 0; i < config.draft_layers; ++i) {
    book.ignore_below(names.layer(config.layers.size() + static_cast<std::size_t>(i)));
  }
  if (config.tied.value_or(!book.has(names.head))) {
    book.ignore(names.head);
  } else {
    spec.head = book.matrix(names.head, config.vocab_size, config.hidden_size);
    if (config.head_bias) {
      book.vector(names.head + ".bias", config.vocab_size);
    }
  }
  book.close();
  if (book.has_converted_conv()) {
    take_as_converted(config, spec, book.matrices());
  }
  spec.unused_bytes = book.unused_bytes();
  spec.matrices = book.matrices();
  spec.tensors = book.tensors();
  spec.config = std::move(config);
  return spec;
}

}  // namespace convergio::arch
