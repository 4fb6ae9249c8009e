#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "arch/config.h"
#include "arch/expert_tensors.h"
#include "arch/recurrence_tensors.h"
#include "arch/tensors.h"
#include "io/safetensors.h"

namespace convergio::arch {

/// What each layer gets of a token beside the hidden state (Gemma 3n and 4): a row of a second
/// embedding, `size` numbers a layer, and a projection of the first.
struct PerLayerInputSpec {
  MatrixSpec embedding;   ///< (vocabulary, layers · size)
  MatrixSpec projection;  ///< (layers · size, hidden_size)
  NormSpec norm;          ///< of size
};

/// How one layer takes it: norm(projection(gelu(gate(x)) · input)) is added to x.
struct PerLayerSpec {
  MatrixSpec gate, projection;
  NormSpec norm;
};

/// Latent attention: what makes a head's query, its latent and rotated key, and what each head
/// makes of the latent. `q_down` and its norm are absent where queries are projected at once.
struct LatentSpec {
  std::optional<MatrixSpec> q_down;  ///< (q_rank, hidden_size)
  std::optional<NormSpec> q_norm;
  MatrixSpec q;        ///< (heads · (plain + rotated), q_rank or hidden_size)
  MatrixSpec kv_down;  ///< (rank + rotated, hidden_size)
  NormSpec kv_norm;    ///< of rank
  /// {what takes queries to latents, latents to values}: (rank, plain) and (value, rank) for each
  /// head; or both as one, latents to keys and values: (heads · (plain + value), rank).
  std::vector<MatrixSpec> heads;
};

/// The norms of a layer whose experts stand apart: of what router and experts are given of the
/// hidden state, and of what they and the dense feed-forward make.
struct ApartSpec {
  std::string router_in;  ///< a tensor, the weight of a norm whose result is / sqrt(hidden_size)
  NormSpec experts_in, experts_out, dense_out;
};

/// One decoder layer: what is there, under which name and of which shape. An absent norm is
/// nullopt; q, k and v are one matrix where the file fuses them, and so are gate and up.
struct LayerSpec {
  LayerConfig config;
  std::optional<NormSpec> mixer_in, mixer_out, ffn_in, ffn_out;
  std::optional<NormSpec> q_norm, k_norm, v_norm;
  std::vector<MatrixSpec> qkv;       ///< {q, k, v}, {q‖k‖v}; {q, k}: keys are values; {q}: shared
  std::optional<LatentSpec> latent;  ///< instead of those
  RecurrenceSpec recurrence;
  std::optional<MatrixSpec> attention_gate;  ///< what leaves attention is multiplied by its sigmoid
  std::optional<MatrixSpec> head_gate;  ///< or each head of it by a softplus: (heads, hidden_size)
  MatrixSpec attention_o;
  std::string sinks;  ///< scores of a key without a value, for each query head; empty: none
  std::vector<MatrixSpec>
      gate_up;  ///< {gate, up} or {gate‖up}; {up}: ungated; empty: experts alone
  MatrixSpec ffn_down;
  std::string xielu;  ///< the module of the activation's parameters; empty: it has none
  std::optional<ExpertsSpec> experts;     ///< beside which gate_up and ffn_down serve every token
  std::optional<MatrixSpec> shared_gate;  ///< its sigmoid multiplies what those two make
  std::optional<ApartSpec> apart;
  std::optional<PerLayerSpec> per_layer;
  std::string scalar;  ///< of what leaves the layer; empty: none
};

/// A whole model: the config's numbers and the checkpoint's names, found to agree.
struct ModelSpec {
  Config config;
  MatrixSpec embedding;
  std::optional<MatrixSpec> head;  ///< nullopt: the embedding serves as the head
  NormSpec final_norm;
  std::optional<PerLayerInputSpec> per_layer;
  std::vector<LayerSpec> layers;
  std::size_t unused_bytes = 0;      ///< of tensors that are part of the checkpoint alone
  std::vector<MatrixSpec> matrices;  ///< all of them
  std::vector<std::string> tensors;  ///< the names of all that the model reads
  /// Of the tensors that it reads, what one token does not: experts that it does not go to, and
  /// rows of other tokens in tables for each layer.
  std::size_t idle_bytes = 0;

  /// Throws one Error (ModelCorrupt) that names every missing, superfluous or misshapen tensor.
  static ModelSpec resolve(Config config, const io::Checkpoint& checkpoint);
};

}  // namespace convergio::arch
