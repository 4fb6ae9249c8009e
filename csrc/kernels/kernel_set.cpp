#include "kernels/kernel_set.h"

#include "kernels/sets.h"

namespace convergio::kernels {

std::int64_t linear_work(const Weights& w, std::int64_t n) {
  constexpr std::int64_t kSlack = 16;  // floats: what a vector may read past a packed row
  const std::int64_t packed_row = row_bytes(w) / 4 + kSlack;
  return n <= kGemvRows ? packed_row : kLinearPanelRows * kLinearPanelCols + packed_row;
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
