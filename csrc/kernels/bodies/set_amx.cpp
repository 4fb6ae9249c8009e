#include "kernels/bodies/set_begin.h"
#include "kernels/bodies/sets.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <utility>

// Everything below is compiled for this set only; nothing but static functions comes out of it.
#if defined(__clang__)
#pragma clang attribute push(                                                                          \
    __attribute__((target(                                                                             \
        "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,amx-tile,amx-int8,avx2,fma,f16c"))), \
    apply_to = function)
#else
// GCC 12's own headers leave a register unset on purpose and are warned about it
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC target( \
    "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,amx-tile,amx-int8,avx2,fma,f16c")
#endif

namespace convergio::kernels {

namespace amx {
#include "kernels/bodies/vec_avx512.h"
// the vector comes first
#include "kernels/bodies/groups.inl.h"
#include "kernels/bodies/int16.inl.h"
// then what a panel is filled from
#include "kernels/bodies/int16_numbers.inl.h"
#include "kernels/bodies/int16_panel.inl.h"
// and what its products are made with
#include "kernels/bodies/amx_tiles.inl.h"
#include "kernels/bodies/int16_amx.inl.h"
#include "kernels/bodies/int16_matmul.inl.h"
#include "kernels/bodies/int16_quantize.inl.h"
// and, for a few rows, products with W's rows as tiles
#include "kernels/bodies/int16_amx_few.inl.h"

/// Whether these rows of x are laid out for products of a few.
static bool are_few(std::int64_t n) { return n <= kFewAmxRows; }

static void quantize(const Weights& w, const float* x, std::int64_t row, const Int16Rows& out) {
  (are_few(out.n) ? quantize_few : quantize_row)(w, x, row, out);
}

static void matmul(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                   std::int64_t begin, std::int64_t end, const RowsAfter& after, void* work) {
  if (are_few(x.n)) {
    return few_matmul(w, x, y, y_stride, begin, end, after, work);
  }
  constexpr std::int64_t kFewest = 8 * 64;  // rows · inputs of a group that pay for moving tiles
  if (x.n * w.group < kFewest) {
    return vnni_set().matmul(w, x, y, y_stride, begin, end, after, work);
  }
  int16_matmul<AmxProducts>(w, x, y, y_stride, begin, end, after, work);
}
}  // namespace amx

#if defined(__clang__)
#pragma clang attribute pop
#endif

// Fewer rows at a time than VNNI takes: these are done with before the third-level cache has the
// next.
const Int16Set& amx_set() {
  static const Int16Set set = {
      vnni_set().gemv, 1, amx::quantize, amx::matmul, {.rows = 128, .outputs = 256}};
  return set;
}

}  // namespace convergio::kernels

#endif
