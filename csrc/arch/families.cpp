#include <algorithm>
#include <array>

#include "arch/family.h"

namespace convergio::arch {

namespace {

constexpr std::array kFamilies{
    Family{.model_type = "llama"},
    Family{.model_type = "mistral", .sliding = Sliding::All},
    Family{.model_type = "qwen2", .sliding = Sliding::FromWindowLayer},
    Family{.model_type = "qwen3", .sliding = Sliding::FromWindowLayer},
    Family{.model_type = "phi3", .sliding = Sliding::All},
    Family{.model_type = "gemma2",
           .placement = Placement::Sandwich,
           .sliding = Sliding::EveryOther,
           .norm_adds_one = true,
           .embedding_scaled = true,
           .activation = "gelu_pytorch_tanh"},
    Family{.model_type = "gemma3_text",
           .placement = Placement::Sandwich,
           .sliding = Sliding::Pattern,
           .norm_adds_one = true,
           .embedding_scaled = true,
           .sliding_pattern = 6,
           .local_rope = true,
           .local_rope_theta = 10000.0,
           .rope_theta = 1000000.0,
           .activation = "gelu_pytorch_tanh"},
    Family{.model_type = "smollm3",
           .sliding = Sliding::WithoutRope,
           .no_rope_interval = 4,
           .rope_theta = 2000000.0},
    Family{.model_type = "olmo2", .placement = Placement::Post},
    Family{.model_type = "olmo3",
           .placement = Placement::Post,
           .sliding = Sliding::Pattern,
           .sliding_pattern = 4,
           .local_rope = true,
           .rope_theta = 500000.0},
    Family{.model_type = "granite"},
    Family{.model_type = "exaone4", .placement = Placement::Post, .full_without_rope = true},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view model_type) {
  const auto* row = std::ranges::find(kFamilies, model_type, &Family::model_type);
  return row == kFamilies.end() ? nullptr : row;
}

}  // namespace convergio::arch
