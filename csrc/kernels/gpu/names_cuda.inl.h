// The names that the kernels' texts use, in CUDA.
using uint = unsigned int;
#define GPU_SHARED __shared__
#define GPU_INFINITY __int_as_float(0x7f800000)
#define GPU_BARRIER() __syncthreads()
#define GPU_SUM(x) gpu_sum(x)
#define GPU_MAX(x) gpu_max(x)
#define GPU_SUM_BEFORE(x) gpu_sum_before(x)
#define GPU_EXP(x) expf(x)
#define GPU_ROLLED _Pragma("unroll 1")
#define GPU_BITS(x) __float_as_uint(x)

template <typename T>
__device__ T gpu_sum(T x) {
  for (int step = 16; step > 0; step /= 2) {
    x += __shfl_xor_sync(0xffffffffu, x, step);
  }
  return x;
}

template <typename T>
__device__ T gpu_max(T x) {
  for (int step = 16; step > 0; step /= 2) {
    const T other = __shfl_xor_sync(0xffffffffu, x, step);
    x = other > x ? other : x;
  }
  return x;
}

/// The sum of the lanes before this one.
template <typename T>
__device__ T gpu_sum_before(T x) {
  const unsigned int lane = threadIdx.x % 32;
  for (unsigned int step = 1; step < 32; step *= 2) {
    const T other = __shfl_up_sync(0xffffffffu, x, step);
    x += lane >= step ? other : T(0);
  }
  const T before = __shfl_up_sync(0xffffffffu, x, 1);
  return lane == 0 ? T(0) : before;
}
