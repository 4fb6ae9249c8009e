#include "engine/pass_costs.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace convergio::engine {

namespace {

/// The most that one pass says, as a factor: others may have held it up.
constexpr double kMostSaid = 1.5;
constexpr double kOfLevel = 0.25;      ///< how much of what a pass of one row says is believed
constexpr double kOfLevelLater = 0.1;  ///< of more: contexts grow, other programs come and go
constexpr double kOfShape = 0.4;       ///< and of what it says of passes of so many rows
constexpr double kOfNeighbour = 0.9;   ///< of that, for a row more or less
/// What is left of a shape after each pass of one row: a number that once took long is tried again.
constexpr double kKept = 0.997;

/// What a pass takes, by its rows, of what one row takes, whose kernels are others.
double usual(int rows) { return rows == 1 ? 1.0 : 1.2 + 0.2 * (rows - 1); }

}  // namespace

void PassCosts::note(int rows, double seconds) {
  if (rows < 1 || rows > kMostRows || seconds <= 0) {
    return;
  }
  if (level_ == 0) {
    level_ = seconds / usual(rows);
  }
  const double found = std::clamp(seconds / of(rows), 1 / kMostSaid, kMostSaid);
  level_ *= std::pow(found, rows == 1 ? kOfLevel : kOfLevelLater);
  for (int one = 2; one <= kMostRows; ++one) {
    double& shape = shape_[static_cast<std::size_t>(one)];
    if (rows == 1) {
      shape = std::pow(shape, kKept);
    } else {
      shape *= std::pow(found, kOfShape * std::pow(kOfNeighbour, std::abs(one - rows)));
    }
  }
}

double PassCosts::of(int rows) const {
  const double level = level_ == 0 ? 1.0 : level_;
  return level * usual(rows) * shape_[static_cast<std::size_t>(rows)];
}

double PassCosts::of_many(int rows) const {
  return rows <= kMostRows ? of(std::max(rows, 1)) : of(kMostRows) * rows / kMostRows;
}

}  // namespace convergio::engine
