#pragma once

namespace convergio::kernels {

/// The cores this process may use: the smaller of its CPU affinity and its cgroup's CPU quota,
/// rounded up; on Apple silicon the performance cores. At least 1.
int usable_cores();

/// CONVERGIO_MLX_THREADS where set (anything but 1..1024 throws std::invalid_argument), else
/// usable_cores(). Read once.
int thread_count();

}  // namespace convergio::kernels
