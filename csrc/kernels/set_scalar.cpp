#include "kernels/set_begin.h"
#include "kernels/sets.h"

namespace convergio::kernels {

namespace scalar {
#include "kernels/vec_scalar.h"
// the vector comes first
#include "kernels/bodies.inl.h"
}  // namespace scalar

const KernelSet& scalar_set() { return scalar::kSet; }

}  // namespace convergio::kernels
