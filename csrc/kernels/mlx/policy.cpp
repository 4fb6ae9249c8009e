#include "kernels/mlx/policy.h"

#include <algorithm>
#include <array>
#include <string>
#include <variant>

#include "mlx/device.h"
#include "mlx/memory.h"

namespace convergio::kernels {

namespace {

namespace mx = mlx::core;

constexpr std::size_t kGigabyte = std::size_t{1} << 30;
constexpr std::size_t kBeside = kGigabyte;  ///< of keys, values and activations

/// Metal's buffers are a page of 16 KiB at least, so that a gigabyte of freed ones is 65 536 at
/// most, far from its limit of 499 000. While a pass computes, MLX holds the KV cache that the next
/// one writes to, and has to copy it: it grows by little there, so that little is copied.
constexpr std::array kPolicies{
    Policy{.backend = Backend::Cpu,
           .name = "cpu",
           .prefill_chunk = 256,
           .expert_chunk = 512,
           .kv_step = 0,
           .buffer_cache = 0,
           .wires = false},
    Policy{.backend = Backend::Metal,
           .name = "metal",
           .prefill_chunk = 512,
           .expert_chunk = 512,
           .kv_step = 256,
           .buffer_cache = kGigabyte,
           .wires = true},
    Policy{.backend = Backend::Cuda,
           .name = "cuda",
           .prefill_chunk = 512,
           .expert_chunk = 512,
           .kv_step = 256,
           .buffer_cache = kGigabyte,
           .wires = false},
};

Backend backend() {
  if (mx::default_device() == mx::Device::cpu) {
    return Backend::Cpu;
  }
#ifdef __APPLE__
  return Backend::Metal;
#else
  return Backend::Cuda;
#endif
}

}  // namespace

const Policy& policy_of(Backend backend) { return kPolicies[static_cast<std::size_t>(backend)]; }

const Policy& policy() { return policy_of(backend()); }

std::size_t wired_bytes(std::size_t weights, std::size_t working_set) {
  const std::size_t reserve = std::max(2 * kGigabyte, working_set / 8);
  return working_set <= reserve ? 0 : std::min(weights + kBeside, working_set - reserve);
}

void wire(std::size_t weights) {
  static std::size_t wired = 0;
  if (!policy().wires) {
    return;
  }
  const auto& gpu = mx::device_info(mx::Device::gpu);
  const auto found = gpu.find("max_recommended_working_set_size");
  if (found == gpu.end()) {
    return;
  }
  const std::size_t bytes = wired_bytes(weights, std::get<std::size_t>(found->second));
  if (bytes > wired) {  // each change has MLX go over all buffers
    wired = bytes;
    mx::set_wired_limit(bytes);
  }
}

bool emulates_bfloat16(std::string_view architecture) {
  return architecture.starts_with("applegpu_g13") || architecture.starts_with("applegpu_g14");
}

bool emulates_bfloat16() {
  if (policy().backend != Backend::Metal) {
    return false;
  }
  const auto& gpu = mx::device_info(mx::Device::gpu);
  const auto found = gpu.find("architecture");
  return found != gpu.end() && emulates_bfloat16(std::get<std::string>(found->second));
}

}  // namespace convergio::kernels
