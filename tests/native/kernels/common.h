#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "check.h"
#include "kernels/cpu/isa.h"
#include "kernels/ops/matrix.h"

namespace convergio::kernels::testing {

/// Uses one instruction set until it goes out of scope.
class With {
 public:
  explicit With(Isa isa) : before_(active_isa()) { force_isa(isa); }
  ~With() { force_isa(before_); }
  With(const With&) = delete;
  With& operator=(const With&) = delete;

 private:
  Isa before_;
};

/// What MLX's own ops make of `op`.
mx::array by_mlx(const std::function<mx::array()>& op);

/// Normal numbers, the same for the same seed.
mx::array random(const mx::Shape& shape, std::uint64_t seed, mx::Dtype dtype = mx::float32);

/// Rows of heads as projections make them, (n, heads, d), as the ops take them: (1, heads, n, d).
mx::array heads_first(const mx::array& rows);

/// The same numbers in memory that begins at an odd byte, as a mapped file's may.
mx::array misaligned(const mx::array& a);

/// Its numbers, row by row.
std::vector<float> values(const mx::array& a);

/// Fails the running test where two arrays differ in shape, or anywhere by more than `tolerance`
/// times the largest number of `wanted`, or times `size` where that is more.
void check_close(const mx::array& seen, const mx::array& wanted, float tolerance,
                 const std::string& what, float size = 0.0F);

/// A quantized random matrix, its arrays misaligned.
Matrix quantized(int rows, int cols, Format format, int group, int bits, mx::Dtype scales,
                 std::uint64_t seed);
Matrix dense(int rows, int cols, mx::Dtype dtype, std::uint64_t seed);

/// A packed format.
struct Kind {
  Format format;
  int group;
  int bits;
};

/// Every packed format.
std::vector<Kind> kinds();

}  // namespace convergio::kernels::testing
