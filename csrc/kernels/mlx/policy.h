#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace convergio::kernels {

/// What MLX's default device is.
enum class Backend : std::uint8_t { Cpu, Metal, Cuda };

/// What differs between backends beside the ops.
struct Policy {
  Backend backend;
  const char* name;
  int prefill_chunk;         ///< tokens of a prompt in a pass, where nobody is kept waiting
  int expert_chunk;          ///< the same through experts, each of which gets a part of them
  int kv_step;               ///< rows by which a KV cache grows; 0: it is reserved, and doubles
  std::size_t buffer_cache;  ///< bytes of freed buffers that MLX keeps at most; 0: as MLX has it
  bool wires;                ///< weights are kept resident
};

const Policy& policy_of(Backend backend);

/// Of the default device.
const Policy& policy();

/// Bytes to keep resident, of `weights` and what is beside them, where the system recommends a
/// working set of so many: never so much that it is left with less than a reserve.
std::size_t wired_bytes(std::size_t weights, std::size_t working_set);

/// Keeps the weights of all loaded models resident, where the policy says so; from then on no less.
void wire(std::size_t weights);

/// True for GPUs without bfloat16 of their own, by MLX's name of their architecture: M1 and M2.
bool emulates_bfloat16(std::string_view architecture);

/// The same of the default device.
bool emulates_bfloat16();

}  // namespace convergio::kernels
