// Every kernel, over the vector that the including file has chosen; `kSet` lists them.

#include "kernels/codec.inl.h"
#include "kernels/packed.inl.h"
// after what it calls
#include "kernels/gemv.inl.h"
#include "kernels/matmul.inl.h"

constexpr KernelSet kSet = {arranged_floats, arrange, gemv, matmul, dequantize};
