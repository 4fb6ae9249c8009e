#pragma once

#include <optional>
#include <vector>

#include "arch/config.h"
#include "arch/tensors.h"
#include "io/safetensors.h"

namespace convergio::arch {

/// One decoder layer: what is there, under which name and of which shape. An absent norm is
/// nullopt; q, k and v are one matrix where the file fuses them, and so are gate and up.
struct LayerSpec {
  std::optional<NormSpec> attention_in, attention_out, ffn_in, ffn_out;
  std::optional<NormSpec> q_norm, k_norm;  ///< of head_dim (each head) or of the whole projection
  std::vector<MatrixSpec> qkv;             ///< {q, k, v} or {q‖k‖v}
  MatrixSpec attention_o;
  std::vector<MatrixSpec> gate_up;  ///< {gate, up} or {gate‖up}
  MatrixSpec ffn_down;
  int window = 0;  ///< tokens; 0: no limit
  int rope = 0;    ///< index into Config::ropes; -1: none
};

/// A whole model: the config's numbers and the checkpoint's names, found to agree.
struct ModelSpec {
  Config config;
  MatrixSpec embedding;
  std::optional<MatrixSpec> head;  ///< nullopt: the embedding serves as the head
  NormSpec final_norm;
  std::vector<LayerSpec> layers;

  /// Throws one Error (ModelCorrupt) that names every missing, superfluous or misshapen tensor.
  static ModelSpec resolve(Config config, const io::Checkpoint& checkpoint);
};

}  // namespace convergio::arch
