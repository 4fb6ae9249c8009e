#include "engine/draft_rates.h"

#include "check.h"
#include "engine/hit_rate.h"

namespace {

using convergio::engine::DraftRates;
using convergio::engine::HitRate;

}  // namespace

TEST(a_rate_is_what_was_found_and_what_was_known_before) {
  HitRate rate;
  CHECK(rate.chance(0.5, 4) == 0.5);
  for (int i = 0; i < 200; ++i) {
    rate.note(i % 4 != 0, 0.99);
  }
  CHECK(rate.chance() > 0.7 && rate.chance() < 0.8);
  for (int i = 0; i < 2000; ++i) {
    rate.fade(0.99);
  }
  CHECK(rate.chance(0.5, 4) > 0.499 && rate.chance(0.5, 4) < 0.501);
}

TEST(a_surer_token_is_likelier_before_any_was_seen) {
  const DraftRates rates;
  double before = 0;
  for (const float margin : {-1.0F, 0.2F, 0.7F, 1.5F, 3.0F, 6.0F, 20.0F}) {
    CHECK(rates.chance(margin) > before);
    before = rates.chance(margin);
  }
  CHECK(before < 1);
}

TEST(a_request_begins_with_what_others_found) {
  DraftRates all;
  DraftRates first(all);
  for (int i = 0; i < 300; ++i) {
    first.note(3.0F, false);
    first.note(0.2F, true);
  }
  const DraftRates second(all);
  CHECK(second.chance(3.0F) < 0.2);
  CHECK(second.chance(0.2F) > 0.8);
  CHECK(second.chance(20.0F) > 0.9);  // of which nothing was found
  CHECK(second.chance() > 0.4 && second.chance() < 0.6);
}

TEST(what_was_found_wrong_is_tried_again_in_the_end) {
  DraftRates all;
  DraftRates one(all);
  for (int i = 0; i < 100; ++i) {
    one.note(3.0F, false);
  }
  const double then = one.chance();
  CHECK(then < 0.1);
  for (int i = 0; i < 20000; ++i) {
    one.fade();
  }
  CHECK(one.chance() > 0.5);
}
