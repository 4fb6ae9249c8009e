#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "mlx/allocator.h"
#include "mlx/array.h"

namespace convergio::kernels {

namespace mx = mlx::core;

/// True where ops run on our own kernels: on the CPU, with an instruction set in use.
bool own_kernels();

/// The same for an op on `x`, which the kernels take as float32 only.
inline bool own_kernels(const mx::array& x) { return x.dtype() == mx::float32 && own_kernels(); }

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

/// The work of an op in a graph, run by the stream's thread, in order. Holds raw pointers; the
/// buffers of inputs and output live until it has run. Must not throw.
using Work = std::function<void()>;

/// Gives `out` its memory and returns the work; called with the inputs in place.
using Bind = std::function<Work(const std::vector<mx::array>& inputs, mx::array& out)>;

/// An op of the default CPU stream.
mx::array graph_op(const char* name, mx::Shape shape, mx::Dtype dtype,
                   std::vector<mx::array> inputs, Bind bind);

/// An array that a kernel computes from `inputs`: at once where eager_on(inputs), else in a graph.
/// A kernel is an object with two members. bind(inputs, out), with the inputs' memory in place,
/// takes what pointers it needs, gives `out` its memory and allocates whatever it works with; what
/// it throws, cpu_op throws where it computes at once. run(), with the inputs' values in place,
/// does the work and does not throw.
template <class Kernel>
mx::array cpu_op(const char* name, mx::Shape shape, mx::Dtype dtype, std::vector<mx::array> inputs,
                 Kernel kernel) {
  if (eager_on(inputs)) {
    mx::array out(std::move(shape), dtype, nullptr, {});
    kernel.bind(inputs, out);
    kernel.run();
    out.set_status(mx::array::Status::available);
    return out;
  }
  auto bind = [kernel = std::move(kernel)](const std::vector<mx::array>& in,
                                           mx::array& out) -> Work {
    Kernel bound = kernel;
    bound.bind(in, out);
    return [bound = std::move(bound)]() mutable { bound.run(); };
  };
  return graph_op(name, std::move(shape), dtype, std::move(inputs), std::move(bind));
}

/// The same of several outputs.
using BindAll =
    std::function<Work(const std::vector<mx::array>& inputs, std::vector<mx::array>& outs)>;
std::vector<mx::array> graph_ops(const char* name, std::vector<mx::Shape> shapes,
                                 const std::vector<mx::Dtype>& dtypes,
                                 std::vector<mx::array> inputs, BindAll bind);

/// cpu_op() with several outputs: bind(inputs, outs).
template <class Kernel>
std::vector<mx::array> cpu_ops(const char* name, std::vector<mx::Shape> shapes,
                               const std::vector<mx::Dtype>& dtypes, std::vector<mx::array> inputs,
                               Kernel kernel) {
  if (eager_on(inputs)) {
    std::vector<mx::array> outs;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      outs.emplace_back(std::move(shapes[i]), dtypes[i], nullptr, std::vector<mx::array>());
    }
    kernel.bind(inputs, outs);
    kernel.run();
    for (const mx::array& out : outs) {
      out.set_status(mx::array::Status::available);
    }
    return outs;
  }
  auto bind = [kernel = std::move(kernel)](const std::vector<mx::array>& in,
                                           std::vector<mx::array>& outs) -> Work {
    Kernel bound = kernel;
    bound.bind(in, outs);
    return [bound = std::move(bound)]() mutable { bound.run(); };
  };
  return graph_ops(name, std::move(shapes), dtypes, std::move(inputs), std::move(bind));
}

/// Runs `task`, which must not throw, on the thread that computes the graphs of this one.
void run_on_stream_thread(void (*task)());

/// Memory by MLX's allocator; throws std::bad_alloc where there is none, which MLX's own on CPU
/// leaves to a null pointer, or where it would exceed the limit.
mx::allocator::Data memory(std::size_t bytes);

/// From now on memory() lets MLX hold so many bytes.
void limit_memory(std::size_t bytes);
std::size_t memory_limit();

/// Memory for a whole row-contiguous output. Throws as memory() does.
void allocate(mx::array& out);

}  // namespace convergio::kernels
