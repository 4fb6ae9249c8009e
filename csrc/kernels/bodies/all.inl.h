// Every kernel, over the vector that the including file has chosen; `kSet` lists them. Each after
// what it calls, so not in alphabetical order.

// clang-format off
#include "kernels/bodies/row_tiles.inl.h"
#include "kernels/bodies/groups.inl.h"
#include "kernels/bodies/codec.inl.h"
#include "kernels/bodies/packed.inl.h"
#include "kernels/bodies/gemv.inl.h"
#include "kernels/bodies/matmul.inl.h"
#include "kernels/bodies/math.inl.h"
#include "kernels/bodies/rows.inl.h"
#include "kernels/bodies/recurrence.inl.h"
#include "kernels/bodies/attention_direct.inl.h"
#include "kernels/bodies/attention.inl.h"
// clang-format on

constexpr KernelSet kSet = {{prepacked_floats, prepack, gemv},
                            matmul,
                            dequantize,
                            rms_norm,
                            layer_norm,
                            gated,
                            clamped_swiglu,
                            xielu,
                            rope,
                            rope_pairs,
                            cast_row,
                            attend,
                            merge_partials,
                            softplus,
                            decay,
                            causal_conv,
                            gated_delta,
                            selective_scan};
