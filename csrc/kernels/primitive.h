#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "mlx/allocator.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// True where ops run on our own kernels: on the CPU, with an instruction set in use.
bool own_kernels();

/// The same for an op on `x`, which the kernels take as float32 only.
inline bool own_kernels(const mx::array& x) { return x.dtype() == mx::float32 && own_kernels(); }

/// The work of an op. In a graph it is run by the stream's thread, in order. Holds raw pointers;
/// the buffers of inputs and output are kept until it has run. Must not throw.
using Work = std::function<void()>;

/// Called before the work, with the inputs in place: gives `out` its memory (`allocate` or a
/// donated buffer) and returns the work.
using Prepare = std::function<Work(const std::vector<mx::array>& inputs, mx::array& out)>;

/// While one lives, an op of this thread whose inputs are there is computed where it is called, not
/// put into a graph: to hand an op to the stream's thread takes longer than a small one itself.
class Eager {
 public:
  Eager();
  ~Eager();
  Eager(const Eager&) = delete;
  Eager& operator=(const Eager&) = delete;
};

/// True where an op on these would be computed where it is called.
bool eager_on(std::span<const mx::array> inputs);

/// An array that a kernel computes from `inputs`: at once where eager_on(inputs), and then throws
/// what `prepare` throws, else on the default CPU stream.
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
