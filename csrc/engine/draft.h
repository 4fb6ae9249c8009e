#pragma once

#include <vector>

namespace convergio::engine {

/// Tokens that may come next, one after the other.
struct Draft {
  std::vector<int> tokens;
  std::vector<double> chances;  ///< of each, given that those before it came

  void cut(std::size_t count) {
    tokens.resize(count);
    chances.resize(count);
  }
};

}  // namespace convergio::engine
