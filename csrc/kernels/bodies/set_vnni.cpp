#include "kernels/bodies/set_begin.h"
#include "kernels/bodies/sets.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Everything below is compiled for this set only; nothing but static functions comes out of it.
#if defined(__clang__)
#pragma clang attribute push(                                                               \
    __attribute__((                                                                         \
        target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx2,fma,f16c"))), \
    apply_to = function)
#else
// GCC 12's own headers leave a register unset on purpose and are warned about it
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx2,fma,f16c")
#endif

namespace convergio::kernels {

namespace vnni {
#include "kernels/bodies/vec_avx512.h"
// the vector comes first
#include "kernels/bodies/groups.inl.h"
#include "kernels/bodies/int16.inl.h"
#include "kernels/bodies/row_tiles.inl.h"
// what the ways of multiplying them share comes first
#include "kernels/bodies/int16_numbers.inl.h"
// then the ways
#include "kernels/bodies/int16_gemv.inl.h"
#include "kernels/bodies/int16_panel.inl.h"
// of panels, by what their products are made with
#include "kernels/bodies/int16_matmul.inl.h"
#include "kernels/bodies/int16_quantize.inl.h"
#include "kernels/bodies/int16_vnni.inl.h"
constexpr Int16Set kSet = {{int16_floats, int16_prepack, int16_gemv},
                           kMostRows,
                           quantize_row,
                           int16_matmul<VnniProducts>,
                           {.rows = 512, .outputs = 128}};
}  // namespace vnni

#if defined(__clang__)
#pragma clang attribute pop
#endif

const Int16Set& vnni_set() { return vnni::kSet; }

}  // namespace convergio::kernels

#endif
