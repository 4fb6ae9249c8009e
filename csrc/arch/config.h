#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/family.h"
#include "arch/rope.h"

namespace convergio::arch {

/// How a quantized matrix is stored: config.json's "quantization" block, as mlx-lm writes it.
struct Quantization {
  std::string mode = "affine";  ///< affine, mxfp4, mxfp8 or nvfp4
  int group_size = 64;          ///< columns that share a scale
  int bits = 4;
  bool operator==(const Quantization&) const = default;
};

/// One layer's attention: how far it sees and how it turns.
struct LayerConfig {
  int window = 0;  ///< 0: the whole context; else each query sees itself and window - 1 before it
  int rope = 0;    ///< index into Config::ropes; -1: no rotary embedding
};

/// config.json as numbers, each checked for sense; see from_json for the field each comes from.
struct Config {
  const Family* family = nullptr;
  int hidden_size = 0;
  int intermediate_size = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int vocab_size = 0;
  int context_window = 0;  ///< tokens
  float norm_eps = 0.0F;
  float attention_scale = 0.0F;       ///< multiplies q · k
  float attention_softcap = 0.0F;     ///< 0: none
  float logits_softcap = 0.0F;        ///< 0: none
  float logits_divisor = 1.0F;        ///< granite's "logits_scaling"
  float embedding_multiplier = 1.0F;  ///< before rounding to the checkpoint's dtype
  float residual_multiplier = 1.0F;
  std::string activation;
  std::optional<bool> tied;  ///< "tie_word_embeddings", where config.json says
  std::vector<Rope> ropes;
  std::vector<LayerConfig> layers;
  std::optional<Quantization> quantization;
  /// Overrides by module name, such as "model.layers.0.mlp.down_proj"; nullopt: not quantized.
  std::map<std::string, std::optional<Quantization>, std::less<>> overrides;

  /// Reads config.json's text. Throws Error (ModelCorrupt for a value that makes no sense,
  /// UnsupportedModel for one that the engine doesn't run), naming the field and its value.
  static Config parse(std::string_view json);
};

}  // namespace convergio::arch
