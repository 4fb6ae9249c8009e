#pragma once

#include <string>
#include <vector>

#include "arch/family.h"
#include "arch/tensors.h"

namespace convergio::arch {

/// How a checkpoint calls what a model is made of: for each role one of the names that published
/// checkpoints have for it, found by looking.
struct LayerNames {
  std::string embedding;            ///< of the whole module
  std::string head, final_norm;     ///< likewise
  std::string block;                ///< "model.layers."
  std::vector<std::string> layers;  ///< "model.layers.0.", …; the others stand behind these
  std::string mixer_in, mixer_out, ffn_in, ffn_out;  ///< norms; empty: none
  std::string recurrent_in, recurrent_ffn_in;        ///< Family::recurrent_pre
  std::string q, k, v, qkv, o, q_norm, k_norm, gate_out;
  std::string gate, up, gate_up, down;
  bool fused_qkv = false, fused_gate_up = false;

  /// Before the names of a layer.
  std::string layer(std::size_t index) const { return block + std::to_string(index) + "."; }

  static LayerNames find(const TensorBook& book, Placement placement, std::size_t layers);

 private:
  void name_in_mixers();
};

}  // namespace convergio::arch
