#include "kernels/mlx/primitive.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/cpu/cores.h"
#include "kernels/cpu/isa.h"
#include "mlx/allocator.h"
#include "mlx/backend/cpu/encoder.h"
#include "mlx/memory.h"
#include "mlx/primitives.h"
#include "mlx/scheduler.h"
#include "mlx/utils.h"

namespace convergio::kernels {

namespace {

thread_local int eager_depth = 0;

std::atomic<std::size_t> limit = std::numeric_limits<std::size_t>::max();

class OverLimit : public std::bad_alloc {
 public:
  OverLimit(std::size_t bytes, std::size_t most)
      : what_(std::to_string(bytes) + " bytes more would exceed the limit of " +
              std::to_string(most)) {}
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  std::string what_;
};

class CpuOp : public mx::UnaryPrimitive {
 public:
  CpuOp(mx::Stream stream, const char* name, Bind bind)
      : UnaryPrimitive(stream), name_(name), bind_(std::move(bind)) {}

  void eval_cpu(const std::vector<mx::array>& inputs, mx::array& out) override {
    mx::cpu::get_command_encoder(stream()).dispatch(bind_(inputs, out));
  }

  void eval_gpu(const std::vector<mx::array>&, mx::array&) override {
    throw std::logic_error("[" + std::string(name_) + "] has a CPU kernel only.");
  }

  const char* name() const override { return name_; }

 private:
  const char* name_;
  Bind bind_;
};

class CpuOps : public mx::Primitive {
 public:
  CpuOps(mx::Stream stream, const char* name, BindAll bind)
      : Primitive(stream), name_(name), bind_(std::move(bind)) {}

  void eval_cpu(const std::vector<mx::array>& inputs, std::vector<mx::array>& outputs) override {
    // Each output holds the inputs. Once computed MLX has them let go; the others do so now, so
    // that an input of nobody else's can be written over.
    for (mx::array& out : outputs) {
      if (&std::as_const(out).inputs() != &inputs) {
        out.inputs().clear();
      }
    }
    mx::cpu::get_command_encoder(stream()).dispatch(bind_(inputs, outputs));
  }

  void eval_gpu(const std::vector<mx::array>&, std::vector<mx::array>&) override {
    throw std::logic_error("[" + std::string(name_) + "] has a CPU kernel only.");
  }

  const char* name() const override { return name_; }

 private:
  const char* name_;
  BindAll bind_;
};

}  // namespace

bool own_kernels() {
  return mx::default_device() == mx::Device::cpu && active_isa() != Isa::Off && thread_count() > 0;
}

Eager::Eager() { ++eager_depth; }

Eager::~Eager() { --eager_depth; }

bool eager_on(std::span<const mx::array> inputs) {
  return eager_depth > 0 && own_kernels() &&
         std::ranges::all_of(inputs, [](const mx::array& one) { return one.is_available(); });
}

mx::array graph_op(const char* name, mx::Shape shape, mx::Dtype dtype,
                   std::vector<mx::array> inputs, Bind bind) {
  const mx::Stream stream = mx::default_stream(mx::Device::cpu);
  return mx::array(std::move(shape), dtype, std::make_shared<CpuOp>(stream, name, std::move(bind)),
                   std::move(inputs));
}

std::vector<mx::array> graph_ops(const char* name, std::vector<mx::Shape> shapes,
                                 const std::vector<mx::Dtype>& dtypes,
                                 std::vector<mx::array> inputs, BindAll bind) {
  const mx::Stream stream = mx::default_stream(mx::Device::cpu);
  auto op = std::make_shared<CpuOps>(stream, name, std::move(bind));
  return mx::array::make_arrays(std::move(shapes), dtypes, op, inputs);
}

void run_on_stream_thread(void (*task)()) {
  mx::scheduler::enqueue(mx::default_stream(mx::Device::cpu), task);
}

void allocate(mx::array& out) { out.set_data(memory(out.nbytes())); }

void limit_memory(std::size_t bytes) { limit = bytes; }

std::size_t memory_limit() { return limit; }

mx::allocator::Data memory(std::size_t bytes) {
  if (const std::size_t most = limit; bytes > most || mx::get_active_memory() > most - bytes) {
    throw OverLimit(bytes, most);
  }
  mx::allocator::Data data = mx::allocator::malloc(bytes);
  if (bytes > 0 && data.buffer().ptr() == nullptr) {
    throw std::bad_alloc();
  }
  return data;
}

}  // namespace convergio::kernels
