#include "engine/pace.h"

#include <optional>

#include "check.h"

using namespace convergio::engine;

namespace {

/// The rows that passes settle at, where one takes `pass` seconds and `row` more for each row.
int settled(Pace& pace, double pass, double row) {
  int rows = 0;
  for (int i = 0; i < 100; ++i) {
    pace.note(0, pass);
    rows = pace.rows(16);
    pace.note(rows, pass + row * rows);
  }
  return rows;
}

TEST(without_a_bound_it_is_as_usual) {
  Pace pace;
  CHECK(!pace.bound());
  CHECK_EQ(settled(pace, 0.1, 0.01), 16);
  CHECK_EQ(pace.rows(8), 8);
}

TEST(rows_take_no_longer_than_the_bound) {
  Pace pace;
  pace.bound(0.25);
  CHECK_EQ(*pace.bound(), 0.25);
  CHECK_EQ(pace.rows(16), 16);  // nothing is known yet
  const int few = settled(pace, 0.1, 0.01);
  CHECK(few == 24 || few == 25);
  const int many = settled(pace, 0.1, 0.001);
  CHECK(many > 240 && many <= 250);
  pace.bound(std::nullopt);
  CHECK_EQ(pace.rows(16), 16);
}

TEST(one_row_at_least_and_twice_as_many_at_most) {
  Pace pace;
  pace.bound(0.25);
  pace.note(0, 0.1);
  pace.note(16, 0.1);  // rows that cost nothing
  CHECK_EQ(pace.rows(16), 32);
  pace.note(32, 0.05);  // and less: the pass before was disturbed
  CHECK_EQ(pace.rows(16), 64);
  CHECK_EQ(settled(pace, 0.1, 1), 1);
}

}  // namespace
