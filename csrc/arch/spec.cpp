#include "arch/spec.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace convergio::arch {

namespace {

/// The names of a block's norms by placement: attention_in, attention_out, ffn_in, ffn_out.
std::array<const char*, 4> norm_names(Placement placement) {
  switch (placement) {
    case Placement::Pre:
      return {"input_layernorm", nullptr, "post_attention_layernorm", nullptr};
    case Placement::Sandwich:
      return {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
              "post_feedforward_layernorm"};
    case Placement::Post:
      return {nullptr, "post_attention_layernorm", nullptr, "post_feedforward_layernorm"};
  }
  return {};
}

/// Which projections a checkpoint holds as one matrix.
struct Fused {
  bool qkv = false;
  bool gate_up = false;
};

LayerSpec resolve_layer(TensorBook& book, const Config& config, const std::string& prefix,
                        const LayerConfig& layer, Fused fused) {
  LayerSpec spec;
  spec.window = layer.window;
  spec.rope = layer.rope;

  const auto names = norm_names(config.family->placement);
  const auto norm = [&](const char* name) -> std::optional<NormSpec> {
    if (name == nullptr) {
      return std::nullopt;
    }
    return book.norm(prefix + name, config.hidden_size);
  };
  spec.attention_in = norm(names[0]);
  spec.attention_out = norm(names[1]);
  spec.ffn_in = norm(names[2]);
  spec.ffn_out = norm(names[3]);

  const std::string attention = prefix + "self_attn.";
  const int q_width = config.heads * config.head_dim;
  const int kv_width = config.kv_heads * config.head_dim;
  if (fused.qkv) {
    spec.qkv = {book.matrix(attention + "qkv_proj", q_width + 2 * kv_width, config.hidden_size)};
  } else {
    spec.qkv = {book.matrix(attention + "q_proj", q_width, config.hidden_size),
                book.matrix(attention + "k_proj", kv_width, config.hidden_size),
                book.matrix(attention + "v_proj", kv_width, config.hidden_size)};
  }
  spec.attention_o = book.matrix(attention + "o_proj", config.hidden_size, q_width);
  // over each head, or over the whole projection: the file's shape tells
  const auto head_norm = [&](const std::string& name, int whole) -> std::optional<NormSpec> {
    if (!book.has_optional(name + ".weight")) {
      return std::nullopt;
    }
    return book.norm(name, book.width_of(name, whole) == whole ? whole : config.head_dim);
  };
  spec.q_norm = head_norm(attention + "q_norm", q_width);
  spec.k_norm = head_norm(attention + "k_norm", kv_width);

  const std::string ffn = prefix + "mlp.";
  const int width = config.intermediate_size;
  if (fused.gate_up) {
    spec.gate_up = {book.matrix(ffn + "gate_up_proj", 2 * width, config.hidden_size)};
  } else {
    spec.gate_up = {book.matrix(ffn + "gate_proj", width, config.hidden_size),
                    book.matrix(ffn + "up_proj", width, config.hidden_size)};
  }
  spec.ffn_down = book.matrix(ffn + "down_proj", config.hidden_size, width);
  return spec;
}

/// Text models cut out of larger ones keep a prefix.
std::string find_prefix(const TensorBook& book) {
  for (const char* prefix : {"model.", "language_model.model.", ""}) {
    if (book.has(std::string(prefix) + "embed_tokens")) {
      return prefix;
    }
  }
  return "model.";
}

}  // namespace

ModelSpec ModelSpec::resolve(Config config, const io::Checkpoint& checkpoint) {
  TensorBook book(checkpoint, config);
  ModelSpec spec;
  const std::string prefix = find_prefix(book);
  spec.embedding = book.matrix(prefix + "embed_tokens", config.vocab_size, config.hidden_size);
  spec.final_norm = book.norm(prefix + "norm", config.hidden_size);
  std::vector<std::string> layers;
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    layers.push_back(prefix + "layers." + std::to_string(i) + ".");
  }
  const auto in_some_layer = [&](const char* module) {
    return std::ranges::any_of(layers, [&](const auto& layer) { return book.has(layer + module); });
  };
  const Fused fused{.qkv = in_some_layer("self_attn.qkv_proj"),
                    .gate_up = in_some_layer("mlp.gate_up_proj")};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    spec.layers.push_back(resolve_layer(book, config, layers[i], config.layers[i], fused));
  }

  const std::string head =
      prefix.starts_with("language_model.") ? "language_model.lm_head" : "lm_head";
  if (config.tied.value_or(!book.has(head))) {
    book.ignore(head);
  } else {
    spec.head = book.matrix(head, config.vocab_size, config.hidden_size);
  }
  book.close();
  spec.config = std::move(config);
  return spec;
}

}  // namespace convergio::arch
