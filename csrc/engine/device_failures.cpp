#include "engine/device_failures.h"

#include <string_view>

#include "engine/prefix_cache.h"
#include "kernels/mlx/primitive.h"

namespace convergio::engine {

namespace {

int failures = 0;

/// Memory that a GPU lacks while it computes is told of late, too.
bool told_late(const Error& error) {
  return error.kind() == ErrorKind::InferenceFailed ||
         (error.kind() == ErrorKind::OutOfMemory &&
          std::string_view(error.what()).find("Command buffer") != std::string_view::npos);
}

}  // namespace

int device_failures() { return failures; }

bool note_device_failure(const Error& error) noexcept {
  if (kernels::own_kernels() || !told_late(error)) {
    return false;
  }
  ++failures;
  PrefixCache::clear_all();
  return true;
}

}  // namespace convergio::engine
