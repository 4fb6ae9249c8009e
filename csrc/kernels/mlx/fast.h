#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mlx/array.h"

// MLX's fused operations: one primitive each on a GPU, many on its CPU backend. Everything that
// takes them does so here, so that tests can put one primitive in the place of each and count what
// a GPU would get.
namespace convergio::kernels {

namespace mx = mlx::core;

mx::array fast_rms_norm(const mx::array& x, const std::optional<mx::array>& weight, float eps);

mx::array fast_layer_norm(const mx::array& x, const std::optional<mx::array>& weight,
                          const std::optional<mx::array>& bias, float eps);

/// x is (1, heads, n, d), from position `offset` on; periods (dims / 2,).
mx::array fast_rope(const mx::array& x, int dims, bool interleaved, int offset,
                    const mx::array& periods);

/// The floats of packed rows.
mx::array fast_dequantize(const mx::array& packed, const mx::array& scales,
                          const std::optional<mx::array>& biases, int group_size, int bits,
                          const std::string& mode, mx::Dtype dtype);

/// q (1, heads, n, d), keys and values (1, kv_heads, m, d); the result is shaped as q.
mx::array fast_attention(const mx::array& q, const mx::array& keys, const mx::array& values,
                         float scale, const std::string& mask_mode,
                         const std::optional<mx::array>& mask,
                         const std::optional<mx::array>& sinks);

/// The gated delta rule with one decay a value head: q and k (1, n, k_heads, d_k), v (1, n,
/// v_heads, d_v), decay and beta (1, n, v_heads), state (1, v_heads, d_v, d_k), all float32. Gives
/// y, shaped as v, and the state after the rows.
std::vector<mx::array> fast_gated_delta(const mx::array& q, const mx::array& k, const mx::array& v,
                                        const mx::array& decay, const mx::array& beta,
                                        const mx::array& state);

/// An elementwise function of arrays that broadcast to one shape.
using Elementwise = std::vector<mx::array> (*)(const std::vector<mx::array>&);

/// Its only result, by one kernel on a GPU, where MLX compiles it. Its constants are among the
/// inputs, or the same in every call.
mx::array fused(Elementwise function, const std::vector<mx::array>& inputs);

/// For tests: MLX compiles them on a CPU too, by the system's C++ compiler, from now on or no more.
void force_fusing(bool on);

}  // namespace convergio::kernels
