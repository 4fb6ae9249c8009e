#pragma once

#include <span>
#include <vector>

#include "engine/draft.h"
#include "engine/pass_costs.h"

namespace convergio::engine {

/// A pass without drafts: so many rows, after each of which but a part of a prompt's a token is
/// decided, and what passes of its model take.
struct PlainPass {
  const PassCosts& costs;
  int rows;
  int decided;

  int rows_left() const { return PassCosts::kMostRows - rows; }
  /// Tokens a second, with so many rows more, of which `more` come, and `beside` seconds beside it.
  double pace(int drafted, double more, double beside = 0) const {
    return (decided + more) / (costs.of(rows + drafted) + beside);
  }
  /// The pace that drafts have to reach, since chances and costs are estimates: of `drafting`
  /// sequences, where all that are decided would reach it likewise.
  double worthwhile_pace(int drafting) const;
};

/// How many tokens of each draft, from its first, the pass is to run: as many as make the most
/// tokens for the time that it takes, none where it is hardly more so.
std::vector<int> worth_running(const PlainPass& pass, std::span<const Draft> drafts);

/// The best pace that the pass could have with a part of this draft alone.
double best_pace(const PlainPass& pass, const Draft& draft);

/// A draft that a model is to make, for one of the sequences in the pass.
struct Prospect {
  double chance;      ///< of each token, given that those before it came
  int most;           ///< tokens
  int lag;            ///< rows that the model has to run for the first
  double beside = 0;  ///< seconds for each, beside the model's passes
};

/// How many tokens of each a model of such costs, which makes them together, is best to make, by
/// the pace of the pass with its time counted.
struct DraftPlan {
  int length = 0;
  double pace = 0;
};
DraftPlan best_plan(const PlainPass& pass, const PassCosts& drafting,
                    std::span<const Prospect> prospects);

}  // namespace convergio::engine
