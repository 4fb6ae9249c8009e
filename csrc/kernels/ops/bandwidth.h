#pragma once

#include <cstdint>

namespace convergio::kernels {

/// Bytes a second at which `bytes` bytes of memory can be read here, again and again: on a CPU by
/// the threads of the pool, on a GPU by MLX's own sum. The median of passes that take about
/// `seconds` seconds together, at least three.
double read_bandwidth(std::int64_t bytes, double seconds);

}  // namespace convergio::kernels
