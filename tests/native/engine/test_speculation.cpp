#include "engine/speculation.h"

#include <vector>

#include "check.h"
#include "engine/pass_costs.h"

namespace {

using convergio::engine::best_pace;
using convergio::engine::best_plan;
using convergio::engine::Draft;
using convergio::engine::DraftPlan;
using convergio::engine::PassCosts;
using convergio::engine::PlainPass;
using convergio::engine::Prospect;
using convergio::engine::worth_running;

Draft draft(int count, double chance) {
  return {.tokens = std::vector<int>(static_cast<std::size_t>(count), 1),
          .chances = std::vector<double>(static_cast<std::size_t>(count), chance)};
}

/// Costs of a machine on which a row more takes so much of the first.
PassCosts costs(double a_row) {
  PassCosts all;
  for (int i = 0; i < 60; ++i) {
    for (int rows = 1; rows <= PassCosts::kMostRows; ++rows) {
      all.note(rows, 1 + a_row * (rows - 1));
    }
  }
  return all;
}

bool near(double a, double b) { return a > b - 1e-9 && a < b + 1e-9; }

}  // namespace

TEST(sure_tokens_are_run_as_long_as_there_are_rows) {
  const std::vector<Draft> drafts{draft(30, 1.0)};
  CHECK_EQ(worth_running({costs(0.3), 1, 1}, drafts)[0], 15);
  CHECK_EQ(worth_running({costs(0.3), 10, 1}, drafts)[0], 6);
  CHECK_EQ(worth_running({costs(0.3), 16, 16}, drafts)[0], 0);
}

TEST(unlikely_tokens_are_run_where_a_row_costs_next_to_nothing_alone) {
  const std::vector<Draft> drafts{draft(4, 0.3)};
  CHECK_EQ(worth_running({costs(0.4), 1, 1}, drafts)[0], 0);
  CHECK(worth_running({costs(0.02), 1, 1}, drafts)[0] > 0);
}

TEST(a_draft_is_as_long_as_its_chances_pay_for) {
  const std::vector<Draft> drafts{draft(15, 0.8)};
  const int dear = worth_running({costs(0.4), 1, 1}, drafts)[0];
  const int cheap = worth_running({costs(0.1), 1, 1}, drafts)[0];
  CHECK(0 < dear && dear < cheap && cheap < 15);
}

TEST(rows_go_to_the_likeliest_of_several_drafts) {
  const std::vector<Draft> drafts{draft(15, 0.5), draft(15, 0.95), {}};
  const std::vector<int> counts = worth_running({costs(0.2), 3, 3}, drafts);
  CHECK(counts[1] > counts[0]);
  CHECK_EQ(counts[2], 0);
}

TEST(a_model_drafts_as_many_tokens_as_its_time_pays_for) {
  const PassCosts of_pass = costs(0.2);
  PassCosts dear;
  PassCosts cheap;
  for (int i = 0; i < 60; ++i) {
    dear.note(1, 0.5);
    cheap.note(1, 0.05);
  }
  const PlainPass pass{of_pass, 1, 1};
  const std::vector<Prospect> good{{.chance = 0.8, .most = 15, .lag = 1}};
  const DraftPlan with_cheap = best_plan(pass, cheap, good);
  const DraftPlan with_dear = best_plan(pass, dear, good);
  CHECK(with_cheap.length > 2 && with_cheap.pace > pass.worthwhile_pace(1));
  CHECK(with_dear.length < with_cheap.length && with_dear.pace < pass.worthwhile_pace(1));
  const std::vector<Prospect> bad{{.chance = 0.2, .most = 15, .lag = 1}};
  CHECK(best_plan(pass, cheap, bad).pace < pass.worthwhile_pace(1));
}

TEST(a_plan_counts_what_a_model_lacks_and_what_choosing_takes) {
  const PassCosts of_pass = costs(0.2);
  const PassCosts drafting = costs(0.5);
  const auto pace = [&](int lag, double beside) {
    const std::vector<Prospect> one{{.chance = 0.9, .most = 4, .lag = lag, .beside = beside}};
    return best_plan({of_pass, 1, 1}, drafting, one).pace;
  };
  CHECK(pace(1, 0) > pace(8, 0));
  CHECK(pace(8, 0) > pace(40, 0));
  CHECK(pace(1, 0) > pace(1, 0.2));
}

TEST(a_plan_has_no_more_tokens_than_the_pass_has_rows) {
  const PassCosts of_pass = costs(0.01);
  PassCosts drafting;
  drafting.note(1, 0.001);
  const std::vector<Prospect> five(5, Prospect{.chance = 1.0, .most = 15, .lag = 1});
  CHECK_EQ(best_plan({of_pass, 5, 5}, drafting, five).length, 2);
  CHECK_EQ(best_plan({of_pass, 16, 5}, drafting, five).length, 0);
}

TEST(the_best_pace_of_a_draft_is_that_of_a_part_of_it) {
  const PassCosts of_pass = costs(0.2);
  const PlainPass pass{of_pass, 1, 1};
  CHECK(near(best_pace(pass, {}), pass.pace(0, 0)));
  CHECK(best_pace(pass, draft(3, 0.9)) > pass.worthwhile_pace(1));
  CHECK(near(best_pace(pass, draft(3, 0.01)), pass.pace(0, 0)));
  CHECK(near(best_pace(pass, draft(40, 1.0)), pass.pace(15, 15)));
}

TEST(costs_of_more_rows_go_on_as_those_before) {
  const PassCosts all = costs(0.1);
  CHECK(near(all.of_many(7), all.of(7)));
  CHECK(near(all.of_many(32), 2 * all.of(16)));
}

TEST(costs_become_those_that_are_measured) {
  PassCosts all;
  CHECK(near(all.of(1), 1));  // nothing is measured: by the usual curve
  for (int i = 0; i < 40; ++i) {
    all.note(1, 2);
    all.note(4, 7);
  }
  CHECK(all.of(1) > 1.9 && all.of(1) < 2.1);
  CHECK(all.of(4) > 6.3 && all.of(4) < 7.7);
  CHECK(all.of(5) > 5);  // as its neighbours, dearer than usual
}

TEST(a_busier_machine_makes_no_number_of_rows_look_dearer) {
  PassCosts all = costs(0.3);
  const double before = all.of(4) / all.of(1);
  for (int i = 0; i < 40; ++i) {
    all.note(1, 3);
  }
  CHECK(all.of(4) / all.of(1) < 1.2 * before);
}

TEST(one_pass_that_was_held_up_counts_little) {
  PassCosts all;
  for (int i = 0; i < 20; ++i) {
    all.note(1, 1);
    all.note(4, 2);
  }
  const double before = all.of(4);
  all.note(4, 1000);
  CHECK(all.of(4) < 1.3 * before);
}

TEST(what_once_took_long_is_forgotten) {
  PassCosts all;
  for (int i = 0; i < 30; ++i) {
    all.note(1, 1);
    all.note(4, 10);
  }
  CHECK(all.of(4) > 6);
  for (int i = 0; i < 2000; ++i) {
    all.note(1, 1);
  }
  CHECK(all.of(4) < 2.2);
}

TEST(passes_of_more_rows_are_not_noted) {
  PassCosts all;
  all.note(17, 5);
  all.note(0, 5);
  CHECK(near(all.of(1), 1));
}
