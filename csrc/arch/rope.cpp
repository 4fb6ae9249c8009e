#include "arch/rope.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace convergio::arch {

namespace {

using std::numbers::pi;

/// base^(2i / dims): positions in which a pair rotates by one radian.
std::vector<double> plain_periods(double base, int dims) {
  std::vector<double> periods;
  for (int i = 0; i < dims; i += 2) {
    periods.push_back(std::pow(base, static_cast<double>(i) / dims));
  }
  return periods;
}

/// Long waves are stretched by `factor`, short ones stay, those between go from one to the other.
void stretch_llama3(std::vector<double>& periods, const Rope& rope) {
  const double low_wave = rope.original_context / rope.low_freq_factor;
  const double high_wave = rope.original_context / rope.high_freq_factor;
  for (double& period : periods) {
    const double wave = 2 * pi * period;
    if (wave > low_wave) {
      period *= rope.factor;
    } else if (wave > high_wave) {
      const double smooth = (rope.original_context / wave - rope.low_freq_factor) /
                            (rope.high_freq_factor - rope.low_freq_factor);
      period /= (1 - smooth) / rope.factor + smooth;
    }
  }
}

/// Pairs that rotate more than beta_fast times over the original context stay, those that rotate
/// fewer than beta_slow times are stretched, with a ramp between.
void stretch_yarn(std::vector<double>& periods, const Rope& rope) {
  const auto pair_that_rotates = [&](double times) {
    return rope.dims * std::log(rope.original_context / (times * 2 * pi)) /
           (2 * std::log(rope.base));
  };
  double low = pair_that_rotates(rope.beta_fast);
  double high = pair_that_rotates(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, rope.dims - 1.0);
  if (low == high) {
    high += 0.001;  // the ramp needs a width
  }
  for (std::size_t i = 0; i < periods.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    periods[i] /= ramp / rope.factor + (1 - ramp);
  }
}

}  // namespace

RopeTable rope_table(const Rope& rope, int length) {
  double base = rope.base;
  if (rope.kind == RopeKind::Dynamic && length > rope.original_context) {
    const double stretch = rope.factor * length / rope.original_context - (rope.factor - 1);
    base *= std::pow(stretch, rope.dims / (rope.dims - 2.0));
  }
  std::vector<double> periods = plain_periods(base, rope.dims);
  switch (rope.kind) {
    case RopeKind::Plain:
    case RopeKind::Dynamic:
      break;
    case RopeKind::Linear:
      for (double& period : periods) {
        period *= rope.factor;
      }
      break;
    case RopeKind::Llama3:
      stretch_llama3(periods, rope);
      break;
    case RopeKind::Yarn:
      stretch_yarn(periods, rope);
      break;
    case RopeKind::Proportional:
      for (std::size_t i = 0; i < periods.size(); ++i) {
        const bool turns = 2 * i < static_cast<std::size_t>(rope.turning);
        periods[i] = turns ? periods[i] * rope.factor : std::numeric_limits<double>::infinity();
      }
      break;
    case RopeKind::LongRope: {
      const auto& factors = length > rope.original_context ? rope.long_factor : rope.short_factor;
      for (std::size_t i = 0; i < periods.size(); ++i) {
        periods[i] *= factors[i];
      }
      break;
    }
  }
  const bool is_short = rope.kind == RopeKind::LongRope && length <= rope.original_context;
  const double magnitude = is_short ? rope.short_attention_factor : rope.attention_factor;
  return {{periods.begin(), periods.end()}, static_cast<float>(magnitude)};
}

int table_key(const std::vector<Rope>& ropes, int length) {
  int key = 0;
  for (const Rope& rope : ropes) {
    if (length > rope.original_context) {
      key = std::max(key, rope.kind == RopeKind::Dynamic    ? length
                          : rope.kind == RopeKind::LongRope ? 1
                                                            : 0);
    }
  }
  return key;
}

bool recomputes_keys(const std::vector<Rope>& ropes) {
  return std::ranges::find(ropes, RopeKind::LongRope, &Rope::kind) != ropes.end();
}

}  // namespace convergio::arch
