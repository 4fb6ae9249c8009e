#include "engine/snapshots.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

#include "check.h"

using convergio::arch::LayerSpec;
using convergio::arch::ModelSpec;
using convergio::arch::RecurrenceKind;
using convergio::engine::Snapshots;
using convergio::model::Cache;
using convergio::model::Snapshot;

namespace {

Snapshot at(int length) {
  ModelSpec spec;
  spec.config.ropes.emplace_back().dims = 4;
  LayerSpec& layer = spec.layers.emplace_back();
  layer.config.attends = false;
  layer.config.recurrence = {.kind = RecurrenceKind::ShortConv, .taps = 3, .channels = 2};
  Snapshot snapshot = Cache(spec, mlx::core::float32, 1).snapshot();
  snapshot.length = length;
  return snapshot;
}

constexpr std::size_t kBytes = 2UL * 2 * sizeof(float);

std::vector<int> lengths(const Snapshots& all) {
  std::vector<int> found;
  for (const Snapshots::One& one : all.all()) found.push_back(one.length());
  CHECK_EQ(all.bytes(), found.size() * kBytes);
  return found;
}

TEST(snapshots_lie_by_length_each_once) {
  Snapshots all;
  for (const int length : {50, 20, 90, 50, 20}) all.add(at(length), length == 20);
  CHECK(lengths(all) == (std::vector{20, 50, 90}));
  all.add(at(20), false);
  CHECK(all.all().front().shared);  // prompts still went apart there
  all.drop_beyond(50);
  CHECK(lengths(all) == (std::vector{20, 50}));
  all.drop_beyond(10);
  CHECK(lengths(all).empty());
}

TEST(the_first_and_the_newest_stay_and_the_others_lie_apart) {
  Snapshots all;
  for (const int length : {100, 200, 300, 310, 400, 800, 801}) all.add(at(length), false);
  std::vector<std::vector<int>> after;
  while (all.thin()) after.push_back(lengths(all));
  const std::vector<std::vector<int>> wanted{{100, 200, 300, 400, 800, 801},
                                             {100, 300, 400, 800, 801},
                                             {100, 400, 800, 801},
                                             {100, 400, 801},
                                             {100, 801}};
  CHECK(after == wanted);
}

TEST(what_prompts_share_goes_last) {
  Snapshots all;
  for (const int length : {100, 1000, 1010, 1020, 5000, 9000}) all.add(at(length), length == 1010);
  while (all.all().size() > 3) CHECK(all.thin());
  CHECK(lengths(all) == (std::vector{100, 1010, 9000}));
  CHECK(all.thin());
  CHECK(!all.thin());
  CHECK(lengths(all) == (std::vector{100, 9000}));
}

TEST(any_that_are_thinned_keep_the_bound_and_their_order) {
  std::mt19937 random(2);
  Snapshots all;
  int length = 0;
  for (int step = 0; step < 500; ++step) {
    length += 1 + static_cast<int>(random() % 100);
    all.add(at(length), random() % 10 == 0);
    while (all.bytes() > 8 * kBytes) CHECK(all.thin());
    const std::vector<int> now = lengths(all);
    CHECK(std::ranges::is_sorted(now));
    CHECK_EQ(now.back(), length);
  }
}

TEST(one_is_worth_having_that_saves_enough) {
  Snapshots all;
  CHECK(!all.worth_having(15));
  CHECK(all.worth_having(16));
  all.add(at(100), false);
  for (const int length : {100, 101, 115}) CHECK(!all.worth_having(length));
  for (const int length : {16, 99, 116}) CHECK(all.worth_having(length));
}

TEST(a_sequence_that_goes_on_shares_those_of_its_beginning) {
  Snapshots begin;
  begin.add(at(30), true);
  begin.add(at(60), false);
  Snapshots whole;
  whole.add(at(90), false);
  whole.merge(begin);
  CHECK(lengths(whole) == (std::vector{30, 60, 90}));
  CHECK(whole.all()[0].stored == begin.all()[0].stored);
  CHECK(whole.all()[0].shared);
}

}  // namespace
