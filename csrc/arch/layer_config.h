#pragma once

#include <vector>

#include "arch/config.h"
#include "io/json.h"

namespace convergio::arch {

/// How far each layer sees, how it is rotated and whether it has experts: reads
/// "num_hidden_layers", "layer_types", "sliding_window" with what says which layers it is for, and
/// "no_rope_layers", as far as the family's class does.
std::vector<LayerConfig> read_layers(const io::Json& json, const Family& family);

}  // namespace convergio::arch
