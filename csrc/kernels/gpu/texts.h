#pragma once

// The texts of this folder's *.inl.h, which CMakeLists.txt puts into a source, named as the files.
namespace convergio::kernels::gpu {

constexpr int kThreads = 512;  ///< of a group: GPU_THREADS
constexpr int kSimds = 16;     ///< simdgroups of it: GPU_SIMDS

extern const char* const names_metal;
extern const char* const begin_metal;
extern const char* const names_cuda;
extern const char* const begin_cuda;
extern const char* const shared;

extern const char* const group_bests;
extern const char* const draw_from_all;
extern const char* const draw_from_likeliest;
extern const char* const draw_from_nucleus;  ///< goes on from draw_from_likeliest

}  // namespace convergio::kernels::gpu
