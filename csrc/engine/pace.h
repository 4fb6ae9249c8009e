#pragma once

#include <atomic>
#include <optional>

namespace convergio::engine {

/// How many rows of a prompt a pass has beside requests that decode: as many as make it no longer
/// than a bound, by what passes took so far.
class Pace {
 public:
  /// Seconds by which a pass may be longer than one without rows of a prompt; nullopt: no bound.
  /// From any thread.
  void bound(std::optional<double> seconds) { bound_ = seconds.value_or(kNone); }
  std::optional<double> bound() const;

  /// A pass with so many rows of a prompt took so many seconds.
  void note(int rows, double seconds);

  /// Rows for the next pass; `usual` where there is no bound, or nothing is known yet.
  int rows(int usual) const;

 private:
  static constexpr double kNone = -1;

  std::atomic<double> bound_ = kNone;
  // on the worker's thread alone
  double pass_ = 0;  ///< seconds without rows of a prompt
  double row_ = 0;   ///< seconds of each
  int last_ = 0;     ///< rows of the last pass that had some
};

}  // namespace convergio::engine
