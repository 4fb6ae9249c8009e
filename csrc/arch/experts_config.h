#pragma once

#include <optional>
#include <vector>

#include "arch/experts.h"
#include "io/json.h"

namespace convergio::arch {

/// The experts that config.json speaks of; nullopt where the family has none.
std::optional<Experts> read_experts(const io::Json& json, const ExpertFamily& family);

/// For each of a model's layers whether its feed-forward is one of experts.
std::vector<bool> sparse_layers(const io::Json& json, const ExpertFamily& family, int layers);

}  // namespace convergio::arch
