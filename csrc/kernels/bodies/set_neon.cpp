#include "kernels/bodies/set_begin.h"
#include "kernels/bodies/sets.h"

#if defined(__aarch64__)

#include <arm_neon.h>

namespace convergio::kernels {

namespace neon {
#include "kernels/bodies/vec_neon.h"
// the vector comes first
#include "kernels/bodies/all.inl.h"
}  // namespace neon

const KernelSet& neon_set() { return neon::kSet; }

}  // namespace convergio::kernels

#endif
