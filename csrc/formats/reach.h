#pragma once

#include <cstdint>

// How far back attention sees, as configs say it and as caches and kernels take it.
namespace convergio::formats {

struct Reach {
  int window = 0;        ///< tokens; 0: all that came before
  bool chunked = false;  ///< those of its own chunk of so many; else a query's own and those before
};

/// The position of the oldest key that the query at a position sees.
constexpr std::int64_t oldest_seen(const Reach& reach, std::int64_t position) {
  if (reach.window == 0) {
    return 0;
  }
  const std::int64_t before = reach.chunked ? position % reach.window : reach.window - 1;
  return position < before ? 0 : position - before;
}

}  // namespace convergio::formats
