#include "engine/runtime.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unordered_map.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <tuple>

#include "arch/family.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "kernels/cpu/cores.h"
#include "kernels/cpu/isa.h"
#include "kernels/mlx/metallib.h"
#include "mlx/version.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

void bind_runtime(nb::module_& m) {
  try {
    kernels::use_metallib();
  } catch (const std::invalid_argument&) {  // the first call says so
  }
  m.attr("MLX_VERSION") = CONVERGIO_MLX_VERSION;
  m.def(
      "mlx_version", [] { return std::string(mlx::core::version()); },
      "The version of the libmlx that this process loaded.");
  m.def("backend", &engine::backend, "Where MLX computes: 'metal', 'cuda' or 'cpu'.");
  m.def("prefill_chunk", &engine::prefill_chunk, "experts"_a,
        "Tokens of a prompt that are best run at once there, by a model with experts or without.");
  m.def(
      "memory",
      [] {
        const engine::Memory memory = engine::memory();
        return std::tuple(memory.active, memory.peak, memory.cached, memory.limit, memory.weights,
                          memory.mapped);
      },
      "Bytes that MLX holds and may hold: (active, peak, cached, limit, weights, mapped).");
  m.def("set_memory_limit", &engine::set_memory_limit, "bytes"_a.none(),
        "Bounds weights and MLX's arrays together; None: MLX's own limit, on arrays alone.");
  m.def(
      "queue_stats",
      [] {
        const engine::Worker::Stats stats = engine::queue_stats();
        return std::tuple(stats.waiting, stats.running, stats.reserved);
      },
      nb::call_guard<WithoutGil>(),
      "Requests that wait and that run, and the bytes of KV cache that the latter reserve: "
      "(waiting, running, reserved).");
  m.def("give_back_free_memory", &engine::give_back_free_memory, nb::call_guard<WithoutGil>(),
        "Gives pages of freed memory that malloc holds back to the system.");
  m.def("gpu", &engine::gpu,
        "What MLX says of the GPU it computes on, by MLX's own names; empty on a CPU.");
  m.def("gpu_kernels", &engine::gpu_kernels, nb::call_guard<WithoutGil>(),
        "'used' where kernels of our own draw tokens on the GPU, else why they do not.");
  m.def("usable_cores", &kernels::usable_cores,
        "The cores this process may use, by affinity and cgroup quota; on Apple silicon the "
        "performance cores.");
  m.def("read_bandwidth", &engine::read_bandwidth, "bytes"_a, "seconds"_a = 0.5,
        nb::call_guard<WithoutGil>(),
        "Bytes a second at which `bytes` bytes of memory can be read here, where MLX computes; "
        "measured for about `seconds` seconds.");
  m.def(
      "isas",
      [] {
        std::vector<std::string> names;
        for (const kernels::Isa isa : kernels::available_isas()) {
          names.emplace_back(kernels::isa_name(isa));
        }
        return names;
      },
      "The CPU kernel sets this machine can run, slowest first.");
  m.def(
      "active_isa", [] { return std::string(kernels::isa_name(kernels::active_isa())); },
      "The CPU kernel set in use; 'off' for MLX's own ops.");
  m.def(
      "model_types",
      [] {
        std::vector<std::string> names;
        for (const arch::Family& family : arch::families()) {
          names.emplace_back(family.model_type);
        }
        return names;
      },
      "The model types of config.json that the engine runs.");
  m.def(
      "shutdown", [] { end_program(&engine::shutdown); },
      "For the end of the program: ends the worker; requests that wait or run fail. Other threads "
      "that come back from this module afterwards are held for good.");
}

}  // namespace convergio::bindings
