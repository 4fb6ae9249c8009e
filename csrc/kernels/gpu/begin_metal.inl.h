const uint thread_id = thread_index_in_threadgroup;
const uint lane_id = thread_index_in_simdgroup;
const uint simd_id = simdgroup_index_in_threadgroup;
const uint group_id = threadgroup_position_in_grid.x;
