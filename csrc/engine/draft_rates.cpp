#include "engine/draft_rates.h"

#include <algorithm>

namespace convergio::engine {

namespace {

constexpr std::array kMargins{0.0F, 0.5F, 1.0F, 2.0F, 4.0F, 8.0F};  ///< between the kinds
/// What is expected before any was seen, and how many guesses that weighs.
constexpr std::array kExpected{0.2, 0.4, 0.5, 0.65, 0.8, 0.92, 0.98};
constexpr double kExpectedMean = 0.7;
constexpr double kWeight = 4;

// what is left of a rate at each new token, and where one comes that was not drafted
constexpr double kOfRequest = 0.95;
constexpr double kOfAll = 0.995;
constexpr double kFaded = 0.995;
constexpr double kFadedOfAll = 0.9995;

}  // namespace

std::size_t DraftRates::kind_of(float margin) {
  return static_cast<std::size_t>(std::ranges::upper_bound(kMargins, margin) - kMargins.begin());
}

void DraftRates::note(float margin, bool is_right) {
  const double kept = all_ == nullptr ? kOfAll : kOfRequest;
  rates_[kind_of(margin)].note(is_right, kept);
  mean_.note(is_right, kept);
  if (all_ != nullptr) {
    all_->note(margin, is_right);
  }
}

void DraftRates::fade() {
  const double kept = all_ == nullptr ? kFadedOfAll : kFaded;
  for (HitRate& one : rates_) {
    one.fade(kept);
  }
  mean_.fade(kept);
  if (all_ != nullptr) {
    all_->fade();
  }
}

double DraftRates::chance_of(std::size_t kind) const {
  return rates_[kind].chance(all_ == nullptr ? kExpected[kind] : all_->chance_of(kind), kWeight);
}

double DraftRates::chance(float margin) const { return chance_of(kind_of(margin)); }

double DraftRates::chance() const {
  return mean_.chance(all_ == nullptr ? kExpectedMean : all_->chance(), kWeight);
}

}  // namespace convergio::engine
