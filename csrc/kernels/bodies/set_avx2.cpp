#include "kernels/bodies/set_begin.h"
#include "kernels/bodies/sets.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Everything below is compiled for this set only; nothing but static functions comes out of it.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif

namespace convergio::kernels {

namespace avx2 {
#include "kernels/bodies/vec_avx2.h"
// the vector comes first
#include "kernels/bodies/all.inl.h"
}  // namespace avx2

#if defined(__clang__)
#pragma clang attribute pop
#endif

const KernelSet& avx2_set() { return avx2::kSet; }

}  // namespace convergio::kernels

#endif
