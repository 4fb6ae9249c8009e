#include "engine/speculation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace convergio::engine {

namespace {

/// Tokens for the time, by those without drafts: chances and costs are estimates.
constexpr double kLeastGain = 1.12;

}  // namespace

double PlainPass::worthwhile_pace(int drafting) const {
  return pace(0, 0) * (1 + (kLeastGain - 1) * drafting / decided);
}

std::vector<int> worth_running(const PlainPass& pass, std::span<const Draft> drafts) {
  std::vector<int> counts(drafts.size(), 0);
  std::vector<double> reached(drafts.size(), 1.0);  // the chance that all counted so far come
  std::vector<int> best = counts;
  double more = 0;
  double pace = pass.worthwhile_pace(pass.decided);
  for (int drafted = 1; drafted <= pass.rows_left(); ++drafted) {
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
    more += likeliest;
    if (const double found = pass.pace(drafted, more); found > pace) {
      pace = found;
      best = counts;
    }
  }
  return best;
}

double best_pace(const PlainPass& pass, const Draft& draft) {
  double best = pass.pace(0, 0);
  double reached = 1;
  double more = 0;
  int drafted = 0;
  for (const double chance : draft.chances) {
    if (++drafted > pass.rows_left()) {
      break;
    }
    reached *= chance;
    more += reached;
    best = std::max(best, pass.pace(drafted, more));
  }
  return best;
}

DraftPlan best_plan(const PlainPass& pass, const PassCosts& drafting,
                    std::span<const Prospect> prospects) {
  DraftPlan best;
  int drafted = 0;
  int rows = 0;  // of the model's next pass
  double more = 0;
  double seconds = 0;
  for (const Prospect& one : prospects) {
    rows += one.lag;
  }
  for (int length = 1; rows > 0; ++length) {
    seconds += drafting.of_many(rows);
    rows = 0;
    for (const Prospect& one : prospects) {
      if (length <= one.most) {
        ++drafted;
        more += std::pow(one.chance, length);
        seconds += one.beside;
        rows += length < one.most ? 1 : 0;
      }
    }
    if (drafted > pass.rows_left()) {
      break;
    }
    if (const double pace = pass.pace(drafted, more, seconds); pace > best.pace) {
      best = {length, pace};
    }
  }
  return best;
}

}  // namespace convergio::engine
