#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace convergio::arch {

/// Where a block's norms stand, and under which names checkpoints keep them.
enum class Placement : std::uint8_t {
  Pre,       ///< x + f(norm(x))
  Sandwich,  ///< x + norm(f(norm(x)))
  Post,      ///< x + norm(f(x))
};

/// Which layers see a sliding window, where config.json lists no "layer_types".
enum class Sliding : std::uint8_t {
  Never,
  All,              ///< every layer, once "sliding_window" is set
  FromWindowLayer,  ///< layers from "max_window_layers" on, once "use_sliding_window" is true
  EveryOther,       ///< layers 0, 2, 4, …
  WithoutRope,      ///< layers without rotary embedding, once "use_sliding_window" is true
  Pattern,          ///< all but each "sliding_window_pattern"-th
};

/// What neither config.json nor the names of the tensors tell about a model_type. A new family of
/// decoder-only transformers is a row in families.cpp.
struct Family {
  std::string_view model_type;
  Placement placement = Placement::Pre;
  Sliding sliding = Sliding::Never;
  bool norm_adds_one = false;            ///< norms multiply by 1 + weight
  bool embedding_scaled = false;         ///< embeddings are multiplied by sqrt(hidden_size)
  int sliding_pattern = 1;               ///< where config.json is silent: see Sliding::Pattern
  int no_rope_interval = 0;              ///< > 0: each n-th layer has no rotary embedding
  bool full_without_rope = false;        ///< once there is a window, only layers that slide turn
  bool local_rope = false;               ///< sliding layers turn without what scales the others
  double local_rope_theta = 0.0;         ///< > 0: and with this base, where config.json is silent
  double rope_theta = 10000.0;           ///< where config.json is silent
  std::string_view activation = "silu";  ///< where config.json is silent
};

/// The table: every row, in the order of families.cpp.
std::span<const Family> families();

/// The row of a model_type, or nullptr.
const Family* find_family(std::string_view model_type);

}  // namespace convergio::arch
