#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "mlx/allocator.h"
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

/// Memory by MLX's allocator; throws std::bad_alloc where there is none, which MLX's own on CPU
/// leaves to a null pointer, or where it would exceed the limit.
mx::allocator::Data memory(std::size_t bytes);

/// From now on memory() lets MLX hold so many bytes.
void limit_memory(std::size_t bytes);

/// Memory for a whole row-contiguous output. Throws as memory() does.
void allocate(mx::array& out);

}  // namespace convergio::kernels
