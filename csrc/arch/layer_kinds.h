#pragma once

#include <vector>

#include "arch/config.h"
#include "io/json.h"

namespace convergio::arch {

/// The layers of a family each of which is one thing alone (Family::reads_layer_kinds), as
/// "layers_block_type", "layer_types" or the letters of "hybrid_override_pattern" say, of which the
/// first that is there counts, and tells how many layers there are. A layer that neither attends
/// nor feeds is one of the family's recurrence.
std::vector<LayerConfig> read_layer_kinds(const io::Json& json);

/// Whether one of them has experts.
bool has_sparse_layer(const std::vector<LayerConfig>& layers);

}  // namespace convergio::arch
