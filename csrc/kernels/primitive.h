#pragma once

#include <functional>
#include <vector>

#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// True where ops run on our own kernels: on the CPU, with an instruction set in use.
bool own_kernels();

/// The same for an op on `x`, which the kernels take as float32 only.
inline bool own_kernels(const mx::array& x) { return x.dtype() == mx::float32 && own_kernels(); }

/// The work of an op: run by the stream's thread, in the order of the graph. Holds raw pointers;
/// MLX keeps the buffers of inputs and output until it has run. Must not throw.
using Work = std::function<void()>;

/// Called when the graph is evaluated, with the inputs in place: gives `out` its memory (`allocate`
/// or a donated buffer) and returns the work.
using Prepare = std::function<Work(const std::vector<mx::array>& inputs, mx::array& out)>;

/// An array that a kernel computes from `inputs`, on the default CPU stream.
mx::array cpu_op(const char* name, mx::Shape shape, mx::Dtype dtype, std::vector<mx::array> inputs,
                 Prepare prepare);

/// Memory for a whole row-contiguous output.
void allocate(mx::array& out);

}  // namespace convergio::kernels
