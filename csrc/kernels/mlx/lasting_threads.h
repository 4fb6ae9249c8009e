#pragma once

#include <functional>
#include <vector>

namespace convergio::kernels {

/// Runs each job on a thread of its own, all at once, and waits; the first exception is thrown.
/// The threads last as long as the process and are used again: MLX gives each thread that computes
/// a stream with a thread of its own, which it never ends.
void run_on_lasting_threads(std::vector<std::function<void()>> jobs);

}  // namespace convergio::kernels
