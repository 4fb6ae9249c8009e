#pragma once

#include "kernels/bodies/kernel_set.h"

namespace convergio::kernels {

const KernelSet& scalar_set();
const KernelSet& avx2_set();    ///< x86-64 only
const KernelSet& avx512_set();  ///< x86-64 only
const Int16Set& vnni_set();     ///< x86-64 only
const Int16Set& amx_set();      ///< x86-64 only
const KernelSet& neon_set();    ///< 64-bit Arm only

}  // namespace convergio::kernels
