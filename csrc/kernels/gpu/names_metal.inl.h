// The names that the kernels' texts use, in Metal.
#define GPU_SHARED threadgroup
#define GPU_INFINITY INFINITY
#define GPU_BARRIER() threadgroup_barrier(mem_flags::mem_threadgroup)
#define GPU_SUM(x) simd_sum(x)
#define GPU_MAX(x) simd_max(x)
#define GPU_SUM_BEFORE(x) simd_prefix_exclusive_sum(x)
#define GPU_EXP(x) metal::precise::exp(x)
#define GPU_ROLLED _Pragma("clang loop unroll(disable)")
#define GPU_BITS(x) as_type<uint>(x)
