#pragma once

#include <cstdint>
#include <string_view>

#include "formats/experts.h"

namespace convergio::arch {

using formats::Experts;
using formats::Router;
using formats::Score;

/// Which layers are sparse.
enum class Sparse : std::uint8_t {
  All,
  Steps,       ///< each "decoder_sparse_step"-th, but those of "mlp_only_layers"
  Listed,      ///< those of "moe_layers", else each "interleave_moe_layer_step"-th
  AfterFirst,  ///< all but the first ones, as many as ExpertFamily::first_dense_key says
  Typed,       ///< those that "mlp_layer_types" has as sparse, else all after the first ones
  Span,        ///< each n-th, between "moe_layer_start_index" and "moe_layer_end_index"
};

/// What a row of the table says of experts: how config.json names them, and what a missing key
/// means.
struct ExpertFamily {
  const char* count_key = nullptr;  ///< nullptr: the family has no experts
  const char* chosen_key = "num_experts_per_tok";
  const char* width_key = "intermediate_size";
  const char* shared_count_key = nullptr;  ///< how many times the width all experts share
  const char* shared_width_key = nullptr;  ///< or that width itself
  const char* normalized_key = "norm_topk_prob";
  const char* groups_key = "n_group";
  const char* first_dense_key = "first_k_dense_replace";
  const char* enabled_key = nullptr;  ///< a switch without which a model has none; nullptr: it has
  bool may_have_none = false;         ///< count_key may be 0 or null
  Sparse sparse = Sparse::All;
  Score score = Score::Softmax;
  bool reads_normalized = false;      ///< normalized_key
  bool reads_groups = false;          ///< groups_key, "topk_group", "routed_scaling_factor"
  const char* scale_key = nullptr;    ///< a factor of all weights, where it isn't with the groups
  const char* softcap_key = nullptr;  ///< Router::softcap
  const char* latent_key = nullptr;   ///< Experts::latent, where that is there
  bool reads_layer_freq = false;  ///< "moe_layer_freq": of the sparse ones, each n-th layer alone
  /// What "topk_method" may be, and which of them chooses groups first; empty: the key isn't read.
  std::string_view method{};
  std::string_view ungrouped_method{};  ///< the default, where there is one
  bool reads_jitter = false;            ///< "router_jitter_noise"
  bool reads_swiglu = false;            ///< "swiglu_alpha", "swiglu_limit"
  /// Where gate and up are one tensor, their rows take turns; else all of gate come first.
  bool interleaved = false;
  /// A "quant_method" whose tensors are read as they are published; empty: none.
  std::string_view published_method{};
  bool weighs_input = false;  ///< a weight multiplies what its expert is given
  bool shared_gated = false;  ///< what all experts share is scaled by a gate of its own
  bool apart = false;  ///< experts, router and what all share have norms of their own (Gemma 4)
  bool normalized = false;
  int count = 0;
  int chosen = 0;  ///< 0: no default, the key must be there
  int width = 0;
  int shared_count = 0;
  int shared_width = 0;
  int first_dense = 0;
  int groups = 1;
  int chosen_groups = 1;
  int group_best = 2;  ///< a group is as good as the sum of so many of its best experts
  double scale = 1.0;
  double jitter = 0.0;
  double swiglu_alpha = 0.0;
  double swiglu_limit = 0.0;
};

}  // namespace convergio::arch
