#pragma once

#include "arch/config.h"
#include "io/json.h"

namespace convergio::arch {

/// Which layers have a recurrence, as far as the family has any, and of which sizes: reads
/// "layer_types" or what a family has in its place. `config` has its general sizes and its layers.
void read_recurrence(const io::Json& json, Config& config);

}  // namespace convergio::arch
