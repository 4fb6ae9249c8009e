#pragma once

#include <exception>

#include "io/error.h"

namespace convergio::engine {

/// What went wrong, as a typed Error: Errors stay as they are; std::bad_alloc and what MLX's
/// allocators throw become OutOfMemory; anything else becomes `fallback`. Where there is no memory
/// for the words, OutOfMemory.
Error classify(const std::exception_ptr& failure, ErrorKind fallback) noexcept;

}  // namespace convergio::engine
