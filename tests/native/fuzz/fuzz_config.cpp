// Any bytes as config.json: a clean error, or numbers that a model can be made of.
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

void expect_sound(const Config& config) {
  EXPECT(config.family != nullptr);
  for (const int number : {config.hidden_size, config.intermediate_size, config.heads,
                           config.kv_heads, config.vocab_size, config.context_window}) {
    EXPECT(number > 0);
  }
  EXPECT(config.heads % config.kv_heads == 0);
  EXPECT(config.head_dim >= 2 && config.head_dim % 2 == 0);
  for (const float number : {config.norm_eps, config.attention_scale, config.logits_divisor,
                             config.embedding_multiplier, config.residual_multiplier}) {
    EXPECT(std::isfinite(number) && number > 0);
  }
  EXPECT(config.attention_softcap >= 0 && config.logits_softcap >= 0);
  EXPECT(!config.layers.empty() && !config.ropes.empty());
  for (const LayerConfig& layer : config.layers) {
    EXPECT(layer.window >= 0);
    EXPECT(layer.rope >= -1 && layer.rope < static_cast<int>(config.ropes.size()));
  }
  for (const Rope& rope : config.ropes) expect_table(rope, config.head_dim);
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
