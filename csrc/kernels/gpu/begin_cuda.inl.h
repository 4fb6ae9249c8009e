const uint thread_id = threadIdx.x;
const uint lane_id = threadIdx.x % 32;
const uint simd_id = threadIdx.x / 32;
const uint group_id = blockIdx.x;
