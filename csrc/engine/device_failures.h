#pragma once

#include "io/error.h"

namespace convergio::engine {

/// A GPU tells of work that failed later than it was queued, and once: to whoever waits first. What
/// others have queued meanwhile may be computed from its results, so that all of them start over.
/// Touched by the worker's thread alone.

/// How often that happened.
int device_failures();

/// Counts an error of MLX's where its operations are queued, and forgets the cached sequences,
/// whose last rows nobody may have waited for; false where this is no such error.
bool note_device_failure(const Error& error) noexcept;

}  // namespace convergio::engine
