#include "engine/speculation.h"

#include <cstddef>

namespace convergio::engine {

namespace {

/// Tokens for the time, by those without drafts: chances and costs are estimates.
constexpr double kLeastGain = 1.12;

}  // namespace

std::vector<int> worth_running(const PassCosts& costs, int rows, int decided,
                               std::span<const Draft> drafts) {
  std::vector<int> counts(drafts.size(), 0);
  std::vector<double> reached(drafts.size(), 1.0);  // the chance that all counted so far come
  std::vector<int> best = counts;
  double tokens = decided;
  double best_pace = kLeastGain * decided / costs.of(rows);
  while (++rows <= PassCosts::kMostRows) {
    std::size_t next = drafts.size();
    double likeliest = 0;
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      const auto count = static_cast<std::size_t>(counts[i]);
      if (count < drafts[i].chances.size() && reached[i] * drafts[i].chances[count] > likeliest) {
        next = i;
        likeliest = reached[i] * drafts[i].chances[count];
      }
    }
    if (next == drafts.size()) {
      break;
    }
    reached[next] = likeliest;
    ++counts[next];
    tokens += likeliest;
    if (const double pace = tokens / costs.of(rows); pace > best_pace) {
      best_pace = pace;
      best = counts;
    }
  }
  return best;
}

}  // namespace convergio::engine
