#include "engine/draft_account.h"

#include "check.h"

namespace {

using convergio::engine::DraftAccount;
using convergio::engine::DraftCredit;

bool near(double a, double b) { return a > b - 1e-9 && a < b + 1e-9; }

}  // namespace

TEST(little_of_an_answers_time_may_be_lost) {
  DraftAccount account;
  CHECK(!account.in_debt(0));
  account.spend(0.04);
  CHECK(account.in_debt(1));
  CHECK(!account.in_debt(10));
}

TEST(tokens_that_come_pay_for_those_that_did_not) {
  DraftAccount account;
  account.begin_pass();
  account.charge(0.5, 1.0);
  CHECK(account.in_debt(1));
  account.note_accepted();
  CHECK(!account.in_debt(1));
  CHECK(near(account.saved(), 0.5));
  CHECK(near(account.spent(), 0.5));
}

TEST(a_token_saves_nothing_as_long_as_it_is_not_known_what_its_pass_took) {
  DraftAccount account;
  account.charge(0, 1.0);
  account.begin_pass();
  account.note_accepted();
  CHECK(near(account.saved(), 0));
}

TEST(what_was_saved_long_ago_is_not_there_to_be_lost) {
  DraftAccount account;
  for (int i = 0; i < 100; ++i) {
    account.charge(0, 1.0);
    account.note_accepted();
  }
  account.charge(6.0, 1.0);
  CHECK(account.in_debt(100));
  CHECK(near(account.saved(), 94));
}

TEST(what_is_invested_is_counted_and_is_no_debt) {
  DraftAccount account;
  account.invest(3);
  CHECK(!account.in_debt(0));
  CHECK(near(account.invested(), 3));
  CHECK(near(account.spent(), 3));
  CHECK(near(account.saved(), -3));
}

TEST(some_tokens_are_lent_and_all_requests_together_lose_no_more) {
  DraftCredit credit;
  credit.open(1.0);
  CHECK(near(credit.lent(), 8));
  DraftAccount first(&credit);
  first.spend(3);
  CHECK(!first.in_debt(0));
  first.spend(2);
  CHECK(first.in_debt(0));  // more than is left for others
  DraftAccount second(&credit);
  second.spend(1);
  CHECK(!second.in_debt(0));
  second.spend(1);
  CHECK(second.in_debt(0));
}

TEST(what_earlier_requests_saved_is_lent_to_later_ones) {
  DraftCredit credit;
  credit.open(1.0);
  credit.add(-100);
  CHECK(near(credit.lent(), 0));
  DraftAccount good(&credit);
  for (int i = 0; i < 100; ++i) {
    good.charge(0.2, 1.0);
    good.note_accepted();
  }
  CHECK(near(credit.lent(), 8));
  credit.open(0.5);  // passes have become faster
  CHECK(near(credit.lent(), 4));
}
