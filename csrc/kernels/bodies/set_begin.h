// What the files of all instruction sets begin with. A body is a static function of the file that
// includes it, so that no two sets ever share one.
#include <cstddef>
#include <cstdint>

#include "kernels/bodies/kernel_set.h"

#define CONVERGIO_INLINE static inline __attribute__((always_inline, unused))
#define CONVERGIO_METHOD inline __attribute__((always_inline))
#define CONVERGIO_LAMBDA __attribute__((always_inline))
