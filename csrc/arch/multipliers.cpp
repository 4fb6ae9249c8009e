#include "arch/multipliers.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "arch/fields.h"

namespace convergio::arch {

namespace {

using io::Json;

float factor(const Json& json, std::string_view key) {
  return static_cast<float>(positive_or(json, key, 1.0, kFactorDigits));
}

void read_list(const Json& json, std::string_view key, std::span<float> factors) {
  const Json* list = present(json, key);
  if (list == nullptr) {
    return;
  }
  if (list->items().size() != factors.size()) {
    corrupt(*list, std::to_string(factors.size()) + " numbers");
  }
  std::ranges::transform(list->items(), factors.begin(), [](const Json& one) {
    return static_cast<float>(positive(one, kFactorDigits));
  });
}

}  // namespace

bool Multipliers::are_there() const {
  const bool scans = std::ranges::any_of(scan, [](float one) { return one != 1.0F; });
  return scans || attention_in != 1.0F || key != 1.0F || attention_out != 1.0F ||
         recurrence_in != 1.0F || recurrence_out != 1.0F || gate != 1.0F || down != 1.0F;
}

Multipliers Multipliers::of_converted() const {
  return {.attention_in = attention_in, .key = key, .folded = true};
}

Multipliers read_multipliers(const Json& json) {
  Multipliers read{.attention_in = factor(json, "attention_in_multiplier"),
                   .key = factor(json, "key_multiplier"),
                   .attention_out = factor(json, "attention_out_multiplier"),
                   .recurrence_in = factor(json, "ssm_in_multiplier"),
                   .recurrence_out = factor(json, "ssm_out_multiplier")};
  read_list(json, "ssm_multipliers", read.scan);
  std::array<float, 2> feed_forward{1.0F, 1.0F};
  read_list(json, "mlp_multipliers", feed_forward);
  read.gate = feed_forward[0];
  read.down = feed_forward[1];
  return read;
}

}  // namespace convergio::arch
