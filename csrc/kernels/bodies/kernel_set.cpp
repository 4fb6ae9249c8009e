#include "kernels/bodies/kernel_set.h"

#include "kernels/bodies/sets.h"

namespace convergio::kernels {

std::int64_t linear_work(const Weights& w, std::int64_t n) {
  constexpr std::int64_t kSlack = 32;  // floats: what a vector may read past a packed row
  const std::int64_t packed_rows = 2 * (row_bytes(w) / 4 + kSlack);
  return n <= kFewRows ? packed_rows : panel_rows(w) * panel_floats(w) + packed_rows;
}

const Int16Set* int16_set(Isa isa, const Weights& w) {
  const formats::QuantizedFormat* format = formats::quantized_format(w.format);
  const bool integer = format != nullptr && format->integer;
#if defined(__x86_64__)
  if (isa == Isa::Avx512 && cpu_features().avx512_vnni && integer && w.group <= 128 &&
      kInt16Cols % w.group == 0) {
    // with smaller groups, a tile's products are too few for what it takes to move their sums
    return cpu_features().amx && w.group >= 32 ? &amx_set() : &vnni_set();
  }
#endif
  static_cast<void>(isa);
  static_cast<void>(integer);
  return nullptr;
}

const KernelSet& kernel_set(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::Avx512) {
    return avx512_set();
  }
  if (isa == Isa::Avx2) {
    return avx2_set();
  }
#elif defined(__aarch64__)
  if (isa == Isa::Neon) {
    return neon_set();
  }
#endif
  static_cast<void>(isa);
  return scalar_set();
}

}  // namespace convergio::kernels
