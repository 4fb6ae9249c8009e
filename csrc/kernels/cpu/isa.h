#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace convergio::kernels {

/// A set of CPU kernels. Off: MLX's own ops.
enum class Isa : std::uint8_t { Off, Scalar, Avx2, Avx512, Neon };

std::string_view isa_name(Isa isa);
std::optional<Isa> isa_from_name(std::string_view name);

/// What this machine's CPU has, of what the kernels know to use.
struct CpuFeatures {
  bool avx2 = false;         ///< AVX2, FMA and F16C
  bool avx512 = false;       ///< AVX-512 F, BW, DQ and VL
  bool avx512_vnni = false;  ///< and VNNI and VBMI: dot products and shuffles of bytes
  bool amx = false;          ///< and AMX: products of tiles of bytes, where the system lets us
  bool neon = false;
  bool dotprod = false;  ///< NEON's 8-bit dot products
};
const CpuFeatures& cpu_features();

/// The sets this machine can run, slowest first; never empty, never Off.
std::vector<Isa> available_isas();

/// The set in use: CONVERGIO_MLX_ISA where set (an unknown or unavailable name throws
/// std::invalid_argument with a sentence), else the fastest available. Read once.
Isa active_isa();

/// For tests: uses another set from now on.
void force_isa(Isa isa);

}  // namespace convergio::kernels
