#pragma once

#include <string>
#include <vector>

namespace convergio::arch {

/// Faults of a checkpoint's tensors as one text. Those that differ in the number of the layer
/// alone become one that lists the numbers: "'model.layers.{0-3,7}.mlp.up_proj.weight' is missing".
std::string join_faults(const std::vector<std::string>& faults);

}  // namespace convergio::arch
