#pragma once

#include <array>

namespace convergio::engine {

/// What a pass of a few rows takes on this machine: measured as a model's passes are run, since
/// kernels, cores, memory and experts all have a part in it.
class PassCosts {
 public:
  static constexpr int kMostRows = 16;

  PassCosts() { shape_.fill(1.0); }

  /// A pass of so many rows took so long.
  void note(int rows, double seconds);

  bool measured() const { return level_ > 0; }

  /// What one of 1 to kMostRows rows is expected to take, in seconds once any was measured: by a
  /// curve that machines have in common, as far as passes of about so many rows were not found to
  /// take more or less.
  double of(int rows) const;

  /// The same of any number of rows: those beyond kMostRows take as long as the ones before.
  double of_many(int rows) const;

 private:
  double level_ = 0;                         ///< seconds of one row; 0: nothing is measured
  std::array<double, kMostRows + 1> shape_;  ///< by rows: of the curve; 1 for one row
};

}  // namespace convergio::engine
