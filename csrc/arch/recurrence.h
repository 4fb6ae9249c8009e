#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace convergio::arch {

/// What a layer mixes tokens with through a state of a fixed size, instead of attention or beside
/// it.
enum class RecurrenceKind : std::uint8_t {
  None,
  ShortConv,   ///< a gated convolution over a few tokens (LFM2)
  GatedDelta,  ///< the gated delta rule, with a decay for each head (Yang et al. 2024)
  KimiDelta,   ///< with a decay for each dimension of a head's keys (Kimi Team 2025)
  Mamba2,      ///< a selective state space (Dao and Gu 2024)
};

/// The sizes of a layer's recurrence, and with them of its state: the inputs of a causal
/// convolution that later tokens still reach, and a matrix for each head, where it has heads. What
/// Mamba-2 calls groups, a state's size and a head's are key_heads, key_dim and value_dim.
struct Recurrence {
  RecurrenceKind kind = RecurrenceKind::None;
  int taps = 0;       ///< of the convolution: a token's own and those before it; at least 2
  int channels = 0;   ///< that it goes over
  int heads = 0;      ///< that have a matrix, (value_dim, key_dim); 0: none
  int key_heads = 0;  ///< each shared by as many heads
  int key_dim = 0;
  int value_dim = 0;
  float least_step = 0.0F;  ///< of a token's step, of Mamba-2
  float most_step = std::numeric_limits<float>::infinity();
  bool normed = true;       ///< what the scan of Mamba-2 makes passes a norm, beside its gate
  bool norm_first = false;  ///< before that
  float norm_eps = 0.0F;    ///< 0: that of other norms
  float beta_scale = 1.0F;  ///< of what is written to a head's matrix, of the delta rule

  int keys() const { return key_heads * key_dim; }  ///< numbers of a token's keys
  int values() const { return heads * value_dim; }
  bool is_there() const { return kind != RecurrenceKind::None; }
  /// The numbers of a sequence's state.
  std::int64_t state_numbers() const;
  /// The numbers of a token that are there at a time.
  int width() const;
  /// The parameters of its matrices.
  std::int64_t parameters(int hidden_size) const;
};

/// How config.json names the sizes of Mamba-2.
struct ScanKeys {
  std::string_view heads{}, groups{}, state{}, head_dim{};
  /// Where a head's size is "auto" or missing: how many times the hidden size all heads have.
  std::string_view expand{};
  std::string_view activation{};  ///< of the convolution
  /// Or how many numbers all heads have, unless it is null.
  std::string_view all{};
  std::string_view normed{};      ///< whether a norm stands behind the scan; empty: it does
  std::string_view norm_first{};  ///< and before the gate; empty: behind it
};

/// What a row of the table says of recurrences: which layers have one, and what a missing key
/// means.
struct RecurrentFamily {
  RecurrenceKind kind = RecurrenceKind::None;
  std::string_view layer_type{};  ///< what "layer_types" calls a layer that has it
  std::string_view attention_type = "full_attention";  ///< and one that has attention
  bool lists_attention = false;  ///< or else "full_attn_idxs" lists those that have attention
  bool beside = false;           ///< each layer has it, beside attention
  bool alone = false;            ///< each layer has it and nothing else
  int interval = 0;              ///< or else each "full_attention_interval"-th has attention
  /// Or else "kda_layers" of this block, from 1 on, lists those that have it, and where that is
  /// missing too, each interval-th from 0 on but the first has attention; sizes stand there.
  std::string_view block{};
  std::string_view taps_key{};  ///< of config.json
  ScanKeys scan{};              ///< of Mamba-2
  int taps = 0;
  int heads = 0;      ///< "linear_num_value_heads"; 0: as many as attention has
  int key_heads = 0;  ///< "linear_num_key_heads"; likewise
  int key_dim = 0;    ///< "linear_key_head_dim"; 0: 3/4 of what each has of the hidden size
  int value_dim = 0;  ///< "linear_value_head_dim"; 0: twice that
  float norm_eps = 0.0F;
  bool reads_interval = true;    ///< "full_attention_interval"
  bool reads_negatives = false;  ///< "linear_allow_neg_eigval": writes up to twice as much
  int expand = 2;                ///< ScanKeys::expand
  int all = 0;                   ///< ScanKeys::all
};

}  // namespace convergio::arch
