#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/experts.h"
#include "arch/family.h"
#include "arch/multipliers.h"
#include "arch/quantization_config.h"
#include "arch/recurrence.h"
#include "arch/rope.h"
#include "formats/reach.h"

namespace convergio::arch {

/// Latent attention (MLA, DeepSeek-AI 2024): the keys and values of all heads are made of one
/// latent a token, and all heads share a part of the keys that is rotated.
struct LatentSizes {
  int rank = 0;    ///< numbers of the latent; 0: attention is not latent
  int q_rank = 0;  ///< of what queries are made of; 0: they are projected at once
  int plain = 0;   ///< numbers of a head's query, and of its key, that are not rotated
  int rotated = 0;
  int value = 0;  ///< of a head's value
};

/// The sizes of one layer, what mixes its tokens, how far its attention sees and how it is rotated,
/// and which feed-forward it has.
struct LayerConfig {
  bool attends = true;      ///< has attention; the sizes below speak of it
  Recurrence recurrence{};  ///< which may stand in its place
  bool feeds = true;        ///< has a feed-forward
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int intermediate_size = 0;
  int window = 0;    ///< 0: the whole context; else each query sees itself and window - 1 before it
  int rope = 0;      ///< index into Config::ropes; -1: no rotary embedding
  int kv_from = -1;  ///< the earlier layer whose keys and values it has; -1: its own
  bool chunked = false;          ///< the window is a chunk (formats::Reach)
  bool slides = false;           ///< is of the kind that has a window, where there is one
  bool keys_are_values = false;  ///< values are the keys before norm and rotary embedding
  bool gated_queries = false;    ///< each head's query is projected with a gate of its result

  bool sparse = false;   ///< the feed-forward is one of experts
  LatentSizes latent{};  ///< where rank > 0, heads meet a single KV head of latent and rotated key

  bool shares_keys() const { return kv_from >= 0; }
  bool mixes() const { return attends || recurrence.is_there(); }
  formats::Reach reach() const { return {window, chunked}; }
  /// The numbers that its cache keeps of a token.
  int kv_numbers() const;
  /// The parameters of the matrices of its attention and its recurrence.
  std::int64_t mixer_parameters(int hidden_size) const;
};

/// config.json as numbers, each checked for sense. A key that is missing means what it means to the
/// published class (family.h), one that the class does not read is ignored.
struct Config {
  const Family* family = nullptr;
  int hidden_size = 0;
  int intermediate_size = 0;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  LatentSizes latent;  ///< where rank > 0, kv_heads is 1 and head_dim that of its cache
  int vocab_size = 0;
  int draft_layers = 0;      ///< after the model's own, to draft tokens with; not used
  int per_layer_size = 0;    ///< numbers that each layer gets of a token beside its state; 0: none
  int per_layer_vocab = 0;   ///< rows of the embedding of those
  int context_window = 0;    ///< tokens
  double max_positions = 0;  ///< "max_position_embeddings", however large
  Placement placement = Placement::Pre;
  float norm_eps = 0.0F;
  float post_norm_eps = 0.0F;      ///< of norms that stand after attention and feed-forward
  float attention_scale = 0.0F;    ///< multiplies q · k
  float attention_softcap = 0.0F;  ///< 0: none
  float logits_softcap = 0.0F;     ///< 0: none
  float logits_divisor = 1.0F;  ///< granite's "logits_scaling"; 1 / Falcon's "lm_head_multiplier"
  float embedding_multiplier = 1.0F;  ///< before rounding to the checkpoint's dtype
  float residual_multiplier = 1.0F;
  Multipliers multipliers;          ///< of the parts of each layer
  float temperature_beta = 0.0F;    ///< queries grow by 1 + beta · log(1 + ⌊position / period⌋)
  double temperature_period = 1.0;  ///< tokens
  double temperature_offset = 0.0;  ///< added to positions for that
  bool tempers_unrotated = false;   ///< only in layers without a rotary embedding
  bool norms_rotated = false;  ///< heads of q and k that are rotated are normed, without weights
  bool norms_add_one = false;  ///< norms multiply by 1 + weight
  std::string activation;
  std::optional<bool> tied;       ///< "tie_word_embeddings"; nullopt: as the file has it
  bool head_bias = false;         ///< a head of its own has a bias
  bool rope_interleaved = false;  ///< neighbours rotate together, not the halves of a head
  std::vector<Rope> ropes;
  std::vector<LayerConfig> layers;
  std::optional<Experts> experts;  ///< of the layers that are sparse
  QuantizationBlock quantization;

  /// Reads config.json's text; of a multimodal model its "text_config". Throws Error (ModelCorrupt
  /// for a value that makes no sense, UnsupportedModel for one that the engine doesn't run), naming
  /// the field and its value.
  static Config parse(std::string_view json);
};

}  // namespace convergio::arch
