#include "engine/drafting.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "engine/draft_model.h"
#include "engine/model_drafter.h"
#include "engine/speculation.h"
#include "kernels/mlx/primitive.h"

namespace convergio::engine {

namespace {

/// Of an answer's time so far, what may have been spent on having a smaller model read what came
/// before it drafts: that pays later, or not at all.
constexpr double kMostInvested = 1.0 / 16;
/// Of a pass, how much longer it may become by that where others wait for it.
constexpr double kMostAdded = 0.5;

/// A share's draft, and the account that pays for it.
struct Chosen {
  Draft draft;
  DraftAccount* account;
};

/// What an answer has that takes no more than to look.
Chosen looked_up(const Share& share, int most) {
  Chosen chosen{{}, &share.answer->lookup_account()};
  if (share.last) {
    const Clock::time_point begin = Clock::now();
    chosen.draft = share.decoder->look_up(most);
    chosen.account->spend(seconds(begin, Clock::now()));
  }
  return chosen;
}

/// An answer that a smaller model may draft for.
struct Candidate {
  Share* share;
  ModelDrafter* drafter;
  Prospect prospect;
  Chosen* chosen;
};

/// The drafts of a smaller model for one pass.
class ModelDrafts {
 public:
  ModelDrafts(const PlainPass& pass, bool is_shared) : pass_(pass), is_shared_(is_shared) {}

  /// Whether an answer is to have one in place of what was chosen.
  void consider(Share& share, Chosen& chosen);
  /// Makes those that are worth their time together.
  void make();

 private:
  static Draft drafted(const Candidate& one) {
    return one.drafter->propose(one.share->answer->tokens(), one.prospect.most);
  }
  void choose_what_is_left(const Candidate& one) const;
  const PassCosts& costs(const Candidate& one) const;
  bool promises(const Candidate& one) const;
  bool reads_along(const Candidate& one) const;
  void give_up() noexcept;

  const PlainPass& pass_;
  const bool is_shared_;
  std::vector<Candidate> candidates_;
};

void ModelDrafts::consider(Share& share, Chosen& chosen) {
  ModelDrafter* drafter = share.last ? share.answer->model_drafter() : nullptr;
  if (drafter == nullptr || drafter->has_given_up() || !pass_.costs.measured()) {
    return;
  }
  const Clock::time_point begin = Clock::now();
  drafter->model().credit.open(pass_.costs.of(1));
  drafter->follow(share.answer->tokens());
  const int most = share.answer->most_drafted(pass_.rows_left());
  Candidate one{&share, drafter, drafter->prospect(most), &chosen};
  bool wanted = one.prospect.most > 0 && share.decoder->lets_draft();
  if (wanted) {
    choose_what_is_left(one);
    wanted = promises(one);
  }
  drafter->account().spend(seconds(begin, Clock::now()));
  if (wanted && reads_along(one)) {
    one.prospect = drafter->prospect(most);
    candidates_.push_back(one);
  }
}

/// Tokens that were drafted before, and may still come, cost nothing more.
void ModelDrafts::choose_what_is_left(const Candidate& one) const {
  Draft left = drafted(one);
  if (best_pace(pass_, left) > best_pace(pass_, one.chosen->draft)) {
    *one.chosen = {std::move(left), &one.drafter->account()};
  }
}

/// What passes of the smaller model take; before one was measured, by the weights that it reads.
const PassCosts& ModelDrafts::costs(const Candidate& one) const {
  LoadedModel& smaller = *one.drafter->model().loaded;
  if (!smaller.pass_costs.measured()) {
    const auto bytes = static_cast<double>(smaller.model->step_bytes());
    const auto of_bytes = static_cast<double>(one.share->answer->model().step_bytes());
    smaller.pass_costs.note(1, pass_.costs.of(1) * bytes / of_bytes);
  }
  return smaller.pass_costs;
}

/// Whether drafting is expected to make more tokens for the time than what was looked up, and may
/// cost what it costs.
bool ModelDrafts::promises(const Candidate& one) const {
  if (one.drafter->model().always) {
    return true;
  }
  if (one.drafter->account().in_debt(one.share->answer->elapsed())) {
    return false;
  }
  const double pace = best_plan(pass_, costs(one), {&one.prospect, 1}).pace;
  return pace > pass_.worthwhile_pace(1) && pace > best_pace(pass_, one.chosen->draft);
}

/// Whether the smaller model knows all but a few of the tokens, of which it may read some more.
bool ModelDrafts::reads_along(const Candidate& one) const {
  Answer& answer = *one.share->answer;
  double may_take = kMostInvested * answer.elapsed() - one.drafter->account().invested();
  if (is_shared_) {
    may_take = std::min(may_take, kMostAdded * pass_.costs.of(pass_.rows));
  }
  try {
    if (one.drafter->model().always) {
      one.drafter->read_all(answer.tokens(), answer.room());
    } else {
      one.drafter->read(answer.tokens(), answer.room(), may_take);
    }
    return one.drafter->is_close();
  } catch (...) {  // no memory for its cache, say
    one.drafter->give_up();
    return false;
  }
}

void ModelDrafts::make() {
  if (candidates_.empty()) {
    return;
  }
  std::vector<Prospect> prospects;
  for (const Candidate& one : candidates_) {
    prospects.push_back(one.prospect);
  }
  const auto drafting = static_cast<int>(candidates_.size());
  const double pace = best_plan(pass_, costs(candidates_.front()), prospects).pace;
  if (pace <= pass_.worthwhile_pace(drafting) && !candidates_.front().drafter->model().always) {
    return;
  }
  const Clock::time_point begin = Clock::now();
  try {
    std::vector<DraftPart> parts;
    for (const Candidate& one : candidates_) {
      parts.push_back({one.drafter, one.share->decoder->look_ahead(), one.prospect.most});
    }
    draft_together(parts, pass_, pace);
    for (const Candidate& one : candidates_) {
      *one.chosen = {drafted(one), &one.drafter->account()};
    }
  } catch (...) {
    give_up();
  }
  const double took = seconds(begin, Clock::now());
  for (const Candidate& one : candidates_) {
    one.drafter->account().spend(took / drafting);
  }
}

/// The answers go on without drafts of this model; memory that it was to have is free for them.
void ModelDrafts::give_up() noexcept {
  for (const Candidate& one : candidates_) {
    one.drafter->give_up();
  }
}

void draft_nothing(Share& share) {
  share.drafted = 0;
  share.answer->begin_pass({}, share.answer->lookup_account());
}

/// How many tokens of each draft the pass runs.
std::vector<int> to_be_run(const PlainPass& pass, std::span<const Draft> drafts, bool all) {
  if (!all) {
    return worth_running(pass, drafts);
  }
  std::vector<int> counts;
  int left = pass.rows_left();
  for (const Draft& one : drafts) {
    counts.push_back(std::min(left, static_cast<int>(one.tokens.size())));
    left -= counts.back();
  }
  return counts;
}

}  // namespace

void choose_drafts(std::span<Share* const> shares) noexcept {
  int rows = 0;
  int decided = 0;
  for (Share* one : shares) {
    draft_nothing(*one);
    rows += one->rows;
    decided += one->last ? 1 : 0;
  }
  if (rows >= PassCosts::kMostRows || decided == 0 || !kernels::own_kernels()) {
    return;
  }
  try {
    Answer& first = *shares.front()->answer;
    const PlainPass pass{first.pass_costs(), rows, decided};
    std::vector<Chosen> chosen;
    ModelDrafts by_model(pass, shares.size() > 1);
    for (Share* one : shares) {
      chosen.push_back(looked_up(*one, pass.rows_left()));
    }
    for (std::size_t i = 0; i < shares.size(); ++i) {
      by_model.consider(*shares[i], chosen[i]);
    }
    by_model.make();
    std::vector<Draft> drafts;
    for (Chosen& one : chosen) {
      drafts.push_back(std::move(one.draft));
    }
    const std::vector<int> counts = to_be_run(pass, drafts, first.drafts_always());
    for (std::size_t i = 0; i < shares.size(); ++i) {
      drafts[i].cut(static_cast<std::size_t>(counts[i]));
      shares[i]->drafted = counts[i];
      shares[i]->answer->begin_pass(std::move(drafts[i].tokens), *chosen[i].account);
    }
  } catch (...) {
    for (Share* one : shares) {
      draft_nothing(*one);
    }
  }
}

void charge_drafts(std::span<const Share> shares, double took) {
  int drafted = 0;
  int decided = 0;
  for (const Share& one : shares) {
    drafted += one.drafted;
    decided += one.last ? 1 : 0;
  }
  if (drafted == 0) {
    return;
  }
  const PassCosts& costs = shares.front().answer->pass_costs();
  const double without = costs.of(rows_of(shares) - drafted);
  for (const Share& one : shares) {
    one.answer->charge_draft((took - without) * one.drafted / drafted, without / decided);
  }
}

}  // namespace convergio::engine
