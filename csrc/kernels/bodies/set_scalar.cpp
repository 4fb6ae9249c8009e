#include "kernels/bodies/set_begin.h"
#include "kernels/bodies/sets.h"

namespace convergio::kernels {

namespace scalar {
#include "kernels/bodies/vec_scalar.h"
// the vector comes first
#include "kernels/bodies/all.inl.h"
}  // namespace scalar

const KernelSet& scalar_set() { return scalar::kSet; }

}  // namespace convergio::kernels
