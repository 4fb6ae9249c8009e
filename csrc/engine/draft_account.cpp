#include "engine/draft_account.h"

#include <algorithm>

namespace convergio::engine {

namespace {

constexpr double kMostLost = 0.005;  ///< of the time that an answer takes
// in tokens without drafts
constexpr double kMostSaved = 4;  ///< by earlier drafts, of what later ones may lose
constexpr double kOpening = 8;    ///< lent before anything was saved
constexpr double kMostLent = 8;   ///< to one request
constexpr double kMostKept = 32;  ///< of what was saved

}  // namespace

void DraftCredit::open(double step) {
  if (step_ == 0) {
    seconds_ = kOpening * step;
  }
  step_ = step;
}

void DraftCredit::add(double seconds) {
  seconds_ = std::clamp(seconds_ + seconds, 0.0, kMostKept * step_);
}

double DraftCredit::lent() const { return std::min(seconds_, kMostLent * step_); }

void DraftAccount::spend(double seconds) {
  balance_ -= seconds;
  spent_ += seconds;
  if (shared_ != nullptr) {
    shared_->add(-seconds);
  }
}

void DraftAccount::invest(double seconds) { invested_ += seconds; }

void DraftAccount::charge(double took, double each) {
  each_ = each;
  balance_ = std::min(balance_, kMostSaved * each);
  spend(took);
}

void DraftAccount::note_accepted() {
  balance_ += each_;
  saved_ += each_;
  if (shared_ != nullptr) {
    shared_->add(each_);
  }
}

bool DraftAccount::in_debt(double elapsed) const {
  const double lent = shared_ == nullptr ? 0 : shared_->lent();
  return balance_ < -kMostLost * elapsed - lent;
}

}  // namespace convergio::engine
