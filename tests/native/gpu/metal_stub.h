// What the texts of csrc/kernels/gpu use of Metal's language, declared for clang as C++14, which
// Metal is: its address spaces, and functions whose names a text's variables may hide.
#define device __attribute__((address_space(1)))
#define constant __attribute__((address_space(2)))
#define threadgroup static __attribute__((address_space(3)))  // clang has them at file scope alone
#define INFINITY __builtin_inff()

using uint = unsigned int;
using uint32_t = unsigned int;

// numbers that become floats; what of their values is not looked at
using half = short;
using bfloat16_t = unsigned short;
struct uint3 {
  uint x, y, z;
};

namespace metal {

namespace precise {
float exp(float);
}
float exp(float);
float sign(float);
bool all(bool);
bool any(bool);
float simd_sum(float);
uint simd_sum(uint);
float simd_max(float);
uint simd_max(uint);
float simd_prefix_exclusive_sum(float);
uint simd_prefix_exclusive_sum(uint);
enum class mem_flags { mem_none, mem_device, mem_threadgroup };
void threadgroup_barrier(mem_flags);

}  // namespace metal

using namespace metal;

template <typename To, typename From>
To as_type(From x) {
  return __builtin_bit_cast(To, x);
}
