#include "kernels/kernel_set.h"

#include "kernels/bodies/sets.h"

namespace convergio::kernels {

std::int64_t linear_work(const Weights& w, std::int64_t n) {
  constexpr std::int64_t kSlack = 16;  // floats: what a vector may read past a packed row
  const std::int64_t packed_row = row_bytes(w) / 4 + kSlack;
  return n <= kFewRows ? packed_row : kLinearPanelRows * kLinearPanelCols + packed_row;
}

const DigitSet* digit_set(Isa isa, const Weights& w) {
  const bool whole_numbers = w.format != Format::Dense && w.format != Format::Mxfp8;
#if defined(__x86_64__)
  if (isa == Isa::Avx512 && cpu_features().avx512_vnni && whole_numbers && w.group <= 128 &&
      kDigitCols % w.group == 0) {
    return &vnni_set();
  }
#endif
  static_cast<void>(isa);
  static_cast<void>(whole_numbers);
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
