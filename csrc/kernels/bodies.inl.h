// Every kernel, over the vector that the including file has chosen; `kSet` lists them. Each after
// what it calls, so not in alphabetical order.

// clang-format off
#include "kernels/groups.inl.h"
#include "kernels/codec.inl.h"
#include "kernels/packed.inl.h"
#include "kernels/gemv.inl.h"
#include "kernels/matmul.inl.h"
#include "kernels/math.inl.h"
#include "kernels/rows.inl.h"
#include "kernels/attention_direct.inl.h"
#include "kernels/attention.inl.h"
// clang-format on

constexpr KernelSet kSet = {
    {arranged_floats, arrange, gemv}, matmul, dequantize, rms_norm, gated, rope, cast_row, attend};
