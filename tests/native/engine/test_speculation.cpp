#include "engine/speculation.h"

#include <vector>

#include "check.h"
#include "engine/pass_costs.h"

namespace {

using convergio::engine::Draft;
using convergio::engine::PassCosts;
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
  CHECK_EQ(worth_running(costs(0.3), 1, 1, drafts)[0], 15);
  CHECK_EQ(worth_running(costs(0.3), 10, 1, drafts)[0], 6);
  CHECK_EQ(worth_running(costs(0.3), 16, 16, drafts)[0], 0);
}

TEST(unlikely_tokens_are_run_where_a_row_costs_next_to_nothing_alone) {
  const std::vector<Draft> drafts{draft(4, 0.3)};
  CHECK_EQ(worth_running(costs(0.4), 1, 1, drafts)[0], 0);
  CHECK(worth_running(costs(0.02), 1, 1, drafts)[0] > 0);
}

TEST(a_draft_is_as_long_as_its_chances_pay_for) {
  const std::vector<Draft> drafts{draft(15, 0.8)};
  const int dear = worth_running(costs(0.4), 1, 1, drafts)[0];
  const int cheap = worth_running(costs(0.1), 1, 1, drafts)[0];
  CHECK(0 < dear && dear < cheap && cheap < 15);
}

TEST(rows_go_to_the_likeliest_of_several_drafts) {
  const std::vector<Draft> drafts{draft(15, 0.5), draft(15, 0.95), {}};
  const std::vector<int> counts = worth_running(costs(0.2), 3, 3, drafts);
  CHECK(counts[1] > counts[0]);
  CHECK_EQ(counts[2], 0);
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
