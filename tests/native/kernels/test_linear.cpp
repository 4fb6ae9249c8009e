#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "common.h"
#include "kernels/cpu/precision.h"
#include "kernels/ops/embedding.h"
#include "kernels/ops/linear.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels::testing {

namespace {

std::string name_of(const Matrix& m) {
  return mode_name(m.format) + " " + std::to_string(m.bits) + " bits, groups of " +
         std::to_string(m.group_size) + ", " + std::to_string(m.rows) + " x " +
         std::to_string(m.cols);
}

/// float32 sums in another order, in proportion to a typical sum of `cols` products.
constexpr float kTolerance = 5e-6F;

float typical(const Matrix& m) { return std::sqrt(static_cast<float>(m.cols)); }

/// x rounded to 16 bits: half a step in 32512 of a group's largest, which is a few times the
/// typical.
constexpr float kRoundedTolerance = 1e-4F;

void against_mlx(const Matrix& m, int n, const std::optional<mx::array>& bias = std::nullopt) {
  const mx::array x = random({n, m.cols}, 7);
  const mx::array wanted = by_mlx([&] { return linear(x, {m, bias}); });
  for (const Isa isa : available_isas()) {
    const With set(isa);
    for (const bool all_float : {true, false}) {
      force_exact(all_float);
      check_close(linear(x, {m, bias}), wanted, all_float ? kTolerance : kRoundedTolerance,
                  std::string(isa_name(isa)) + (all_float ? ", exact" : "") + ": linear of " +
                      std::to_string(n) + " rows, " + name_of(m),
                  typical(m));
    }
  }
}

}  // namespace

TEST(linear_of_every_format_equals_mlx) {
  std::uint64_t seed = 1;
  for (const Kind& kind : kinds()) {
    const int unit = kind.group < 32 ? 32 : kind.group;
    for (const int cols : {unit, 3 * unit, 1024 + unit, 2304}) {
      for (const int rows : {1, 3, 17}) {
        const Matrix m =
            quantized(rows, cols, kind.format, kind.group, kind.bits, mx::float16, ++seed);
        for (const int n : {1, 2, 5, 33}) {
          against_mlx(m, n);
        }
      }
    }
  }
}

TEST(linear_reads_scales_of_every_type) {
  for (const mx::Dtype dtype : {mx::float32, mx::float16, mx::bfloat16}) {
    const Matrix m = quantized(19, 192, Format::Affine, 64, 4, dtype, 3);
    against_mlx(m, 1);
    against_mlx(m, 12);
  }
}

TEST(linear_of_dense_matrices_equals_mlx) {
  for (const mx::Dtype dtype : {mx::float32, mx::float16, mx::bfloat16}) {
    for (const int cols : {1, 7, 16, 100, 1025, 2048}) {
      for (const int rows : {1, 3, 17, 40}) {
        const Matrix m = dense(rows, cols, dtype, 5);
        for (const int n : {1, 3, 8, 9, 33}) {
          against_mlx(m, n);
        }
      }
    }
  }
}

TEST(linear_adds_a_bias_of_any_type) {
  for (const mx::Dtype dtype : {mx::float32, mx::float16, mx::bfloat16}) {
    const Matrix m = quantized(45, 128, Format::Affine, 64, 4, mx::float16, 4);
    const mx::array bias = misaligned(random({45}, 8, dtype));
    against_mlx(m, 1, bias);
    against_mlx(m, 20, bias);
  }
}

TEST(linear_takes_rows_of_any_stride) {
  const Matrix m = quantized(40, 64, Format::Affine, 64, 4, mx::float16, 4);
  const mx::array wide = random({12, 160}, 9);
  const mx::array strided = mx::slice(wide, {0, 3}, {12, 67});
  const mx::array turned = mx::transpose(random({64, 12}, 9));
  for (const mx::array& x : {strided, turned}) {
    const mx::array wanted = by_mlx([&] { return linear(x, {m, std::nullopt}); });
    force_exact(true);
    check_close(linear(x, {m, std::nullopt}), wanted, kTolerance, "linear of strided rows",
                typical(m));
    force_exact(false);
  }
}

TEST(linear_takes_row_slices_of_a_fused_matrix) {
  const Matrix whole = dense(48, 64, mx::float32, 6);
  Matrix part = whole;
  part.data = mx::slice(whole.data, {16, 0}, {48, 64});
  part.rows = 32;
  against_mlx(part, 3);
}

TEST(embedding_of_every_format_equals_mlx) {
  const mx::array ids({5, 0, 16, 16, 3}, mx::int32);
  std::vector<Matrix> all;
  for (const Kind& kind : kinds()) {
    all.push_back(quantized(17, 384, kind.format, kind.group, kind.bits, mx::bfloat16, 11));
  }
  for (const mx::Dtype dtype : {mx::float32, mx::float16, mx::bfloat16}) {
    all.push_back(dense(17, 100, dtype, 12));
  }
  for (const Matrix& m : all) {
    for (const float multiplier : {1.0F, 45.25F}) {
      const auto op = [&] { return embedding(ids, m, mx::float32, multiplier); };
      const mx::array wanted = by_mlx(op);
      for (const Isa isa : available_isas()) {
        const With set(isa);
        check_close(op(), wanted, 1e-6F * multiplier,
                    std::string(isa_name(isa)) + ": embedding, " + name_of(m));
      }
    }
  }
}

}  // namespace convergio::kernels::testing
