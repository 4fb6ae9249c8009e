// Any bytes as config.json: a clean error, or numbers that a model can be made of.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "arch/config.h"
#include "expect.h"
#include "io/error.h"

using convergio::Error;
using convergio::ErrorKind;
using convergio::arch::Config;
using convergio::arch::LayerConfig;
using convergio::arch::Rope;

namespace {

void expect_table(const Rope& rope, int head_dim) {
  EXPECT(rope.dims >= 2 && rope.dims % 2 == 0 && rope.dims <= head_dim);
  for (const int length : {1, 5000, 1 << 28}) {
    const convergio::arch::RopeTable table = rope_table(rope, length);
    EXPECT(table.periods.size() == static_cast<std::size_t>(rope.dims) / 2);
    EXPECT(std::isfinite(table.magnitude) && table.magnitude > 0);
    for (const float period : table.periods) EXPECT(period > 0);  // infinite: does not turn
  }
}

void expect_experts(const Config& config) {
  const bool sparse = std::ranges::any_of(config.layers, &LayerConfig::sparse);
  EXPECT(config.experts || !sparse);
  if (!config.experts) return;
  const convergio::arch::Router& router = config.experts->router;
  EXPECT(config.experts->width > 0 && config.experts->shared_width >= 0);
  EXPECT(router.groups > 0 && router.experts % router.groups == 0);
  const int reachable = router.experts / router.groups * router.chosen_groups;
  EXPECT(router.chosen > 0 && router.chosen <= reachable && reachable <= router.experts);
  EXPECT(router.groups == 1 || router.experts / router.groups >= router.group_best);
  EXPECT(std::isfinite(router.scale) && router.scale > 0 && router.jitter >= 0);
  const float limit = config.experts->swiglu_limit;
  const float alpha = config.experts->swiglu_alpha;
  EXPECT(std::isfinite(limit) && std::isfinite(alpha) && limit >= 0 && alpha >= 0);
  EXPECT((limit > 0) == (alpha > 0));
  EXPECT(config.experts->latent >= 0 && config.experts->gated == config.family->gated);
}

void expect_latent(const Config& config) {
  const convergio::arch::LatentSizes& sizes = config.latent;
  EXPECT((sizes.rank > 0) == config.family->latent);
  if (sizes.rank == 0) return;
  EXPECT(sizes.q_rank >= 0 && sizes.plain > 0 && sizes.rotated > 0 && sizes.value > 0);
  EXPECT(config.kv_heads == 1 && config.head_dim == sizes.rank + sizes.rotated);
}

void expect_multipliers(const Config& config) {
  const convergio::arch::Multipliers& all = config.multipliers;
  EXPECT(!all.are_there() || config.family->reads_part_multipliers);
  EXPECT(!all.folded);
  for (const float number : {all.of_scores(), all.of_attention(), all.recurrence_in,
                             all.recurrence_out, all.gate, all.down}) {
    EXPECT(std::isfinite(number) && number > 0);
  }
  for (const float number : all.scan) EXPECT(std::isfinite(number) && number > 0);
}

void expect_sound(const Config& config) {
  EXPECT(config.family != nullptr);
  for (const int number : {config.hidden_size, config.heads, config.kv_heads, config.vocab_size,
                           config.context_window}) {
    EXPECT(number > 0);
  }
  EXPECT((config.intermediate_size > 0) != config.family->recurrence.alone);
  expect_multipliers(config);
  EXPECT(config.heads % config.kv_heads == 0);
  const int rotated = config.latent.rank > 0 ? config.latent.rotated : config.head_dim;
  EXPECT(rotated >= 2 && rotated % 2 == 0);
  expect_latent(config);
  for (const float number : {config.norm_eps, config.attention_scale, config.logits_divisor,
                             config.embedding_multiplier, config.residual_multiplier}) {
    EXPECT(std::isfinite(number) && number > 0);
  }
  EXPECT(config.attention_softcap >= 0 && config.logits_softcap >= 0);
  EXPECT(!config.layers.empty() && !config.ropes.empty());
  EXPECT(config.temperature_beta >= 0 && config.temperature_period > 0);
  EXPECT(config.temperature_offset == 0 || config.tempers_unrotated);
  EXPECT(config.per_layer_size >= 0 && (config.per_layer_size == 0 || config.per_layer_vocab > 0));
  int widest = 0;
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const LayerConfig& layer = config.layers[i];
    EXPECT(layer.window >= 0);
    for (const int position : {0, 7, 8192, 1 << 28}) {
      const std::int64_t oldest = convergio::formats::oldest_seen(layer.reach(), position);
      EXPECT(oldest >= 0 && oldest <= position);
    }
    EXPECT(layer.rope >= -1 && layer.rope < static_cast<int>(config.ropes.size()));
    EXPECT(layer.head_dim >= 2 && (layer.intermediate_size > 0 || !layer.feeds));
    EXPECT(layer.latent.rank > 0 || layer.head_dim % 2 == 0);
    EXPECT(layer.kv_numbers() > 0 || layer.shares_keys() || !layer.attends);
    EXPECT(layer.attends || layer.recurrence.is_there() || layer.feeds);
    EXPECT((layer.mixer_parameters(config.hidden_size) > 0) ==
           (layer.attends || layer.recurrence.is_there()));
    EXPECT((layer.recurrence.state_numbers() > 0) == layer.recurrence.is_there());
    EXPECT(layer.attends || layer.rope < 0);
    EXPECT(layer.kv_heads > 0 && layer.heads % layer.kv_heads == 0);
    EXPECT(layer.kv_from < static_cast<int>(i));
    if (layer.shares_keys()) {
      const LayerConfig& owner = config.layers[static_cast<std::size_t>(layer.kv_from)];
      EXPECT(!owner.shares_keys() && owner.window == layer.window);
      EXPECT(owner.kv_heads == layer.kv_heads && owner.head_dim == layer.head_dim);
    }
    widest = std::max(widest, layer.head_dim);
  }
  expect_experts(config);
  for (const Rope& rope : config.ropes) expect_table(rope, widest);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    expect_sound(Config::parse({reinterpret_cast<const char*>(data), size}));
  } catch (const Error& error) {
    EXPECT(error.kind() == ErrorKind::ModelCorrupt || error.kind() == ErrorKind::UnsupportedModel);
    expect_sentence(error.what());
  }
  return 0;
}
