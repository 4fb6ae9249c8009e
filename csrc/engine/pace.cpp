#include "engine/pace.h"

#include <algorithm>

namespace convergio::engine {

namespace {

/// Weight of the newest pass: others of the machine disturb single ones.
constexpr double kNewest = 0.25;

void move(double& mean, double newest) {
  mean = mean > 0 ? mean + kNewest * (newest - mean) : newest;
}

}  // namespace

std::optional<double> Pace::bound() const {
  const double seconds = bound_;
  return seconds < 0 ? std::nullopt : std::optional(seconds);
}

void Pace::note(int rows, double seconds) {
  if (rows == 0) {
    move(pass_, seconds);
  } else {
    move(row_, std::max(seconds - pass_, 0.0) / rows);
    last_ = rows;
  }
}

int Pace::rows(int usual) const {
  const double bound = bound_;
  if (bound < 0 || last_ == 0) {
    return usual;
  }
  const int most = 2 * last_;  // a row costs less among many: what more of them take is not known
  return row_ * most <= bound ? most : std::max(1, static_cast<int>(bound / row_));
}

}  // namespace convergio::engine
