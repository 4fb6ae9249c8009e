#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace convergio::engine {

/// Where the last two to four tokens of a sequence stood before: a hash table for each length, with
/// open addressing. Takes amortized constant time and at most 48 bytes a token.
class NgramIndex {
 public:
  /// Takes in what `tokens` have more than the last time.
  void grow(std::span<const int> tokens);

  /// The place behind the latest earlier occurrence of the last four `tokens`, or else three, or
  /// two. `tokens` are those of the last grow().
  std::optional<int> find(std::span<const int> tokens) const;

 private:
  static constexpr std::size_t kShortest = 2;
  static constexpr std::size_t kLongest = 4;

  /// By length: a place behind an n-gram for each slot, 0 where there is none.
  std::array<std::vector<int>, kLongest - kShortest + 1> places_;
  std::size_t indexed_ = 0;  ///< places up to here are known
};

}  // namespace convergio::engine
