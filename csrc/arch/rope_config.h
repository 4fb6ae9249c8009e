#pragma once

#include <vector>

#include "arch/config.h"
#include "io/json.h"

namespace convergio::arch {

/// The rotary embeddings of a model: one for all layers, or a second one for sliding layers.
/// Reads "rope_theta" with "rope_scaling", which outranks "rope_parameters" (flat, or one block for
/// each layer type), and "partial_rotary_factor". `config` gives layers, max_positions,
/// context_window (raised where the scaling reaches further) and family.
std::vector<Rope> read_ropes(const io::Json& json, Config& config);

}  // namespace convergio::arch
