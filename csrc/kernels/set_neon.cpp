#include "kernels/set_begin.h"
#include "kernels/sets.h"

#if defined(__aarch64__)

#include <arm_neon.h>

namespace convergio::kernels {

namespace neon {
#include "kernels/vec_neon.h"
// the vector comes first
#include "kernels/bodies.inl.h"
}  // namespace neon

const KernelSet& neon_set() { return neon::kSet; }

}  // namespace convergio::kernels

#endif
