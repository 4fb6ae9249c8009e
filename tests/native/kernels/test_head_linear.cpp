#include <optional>
#include <string>
#include <vector>

#include "common.h"
#include "kernels/cpu/precision.h"
#include "kernels/ops/head_linear.h"
#include "mlx/ops.h"

namespace convergio::kernels::testing {

namespace {

constexpr int kHeads = 3;

struct Part {
  int block;
  int first;
  int rows;
};

HeadMatrices part_of(Matrix whole, const Part& part) {
  whole.rows = part.rows;
  return {.weight = std::move(whole), .heads = kHeads, .block = part.block, .first = part.first};
}

/// What each head's matrix is, as MLX unpacks it: (heads, rows, cols).
mx::array unpacked(const HeadMatrices& matrices) {
  const Matrix& m = matrices.weight;
  const auto exact = [&](const std::optional<mx::array>& groups) {
    return groups && m.format == Format::Affine ? std::optional(mx::astype(*groups, mx::float32))
                                                : groups;
  };
  const mx::array floats =
      m.format == Format::Dense
          ? mx::astype(m.data, mx::float32)
          : mx::astype(mx::dequantize(m.data, *exact(m.scales), exact(m.biases), m.group_size,
                                      m.bits, mode_name(m.format)),
                       mx::float32);
  return mx::slice(mx::reshape(floats, {kHeads, matrices.block, m.cols}), {0, matrices.first, 0},
                   {kHeads, matrices.first + m.rows, m.cols});
}

/// y[h] = W[h] · x[h], and then the tail.
mx::array wanted_of(const mx::array& x, const mx::array& matrices,
                    const std::optional<mx::array>& tail) {
  mx::array y = mx::matmul(x, mx::swapaxes(matrices, 1, 2));
  if (tail) {
    y = mx::concatenate({y, *tail}, 3);
  }
  return mx::reshape(mx::transpose(y, {0, 2, 1, 3}), {x.shape(2), -1});
}

void against_mlx(const HeadMatrices& matrices, const std::string& what) {
  const int cols = matrices.weight.cols;
  for (const int n : {1, 3, 70}) {
    // a part of wider heads, as queries are
    const mx::array x =
        heads_first(mx::slice(random({n, kHeads, cols + 5}, 1), {0, 0, 0}, {n, kHeads, cols}));
    for (const std::optional<mx::array>& tail :
         {std::optional<mx::array>(), std::optional(heads_first(random({n, kHeads, 5}, 2)))}) {
      const mx::array wanted = by_mlx([&] { return wanted_of(x, unpacked(matrices), tail); });
      check_close(by_mlx([&] { return HeadLinear(matrices)(x, tail); }), wanted, 2e-5F,
                  "MLX: " + what);
      for (const Isa isa : available_isas()) {
        const With set(isa);
        for (const bool all_float : {true, false}) {
          force_exact(all_float);
          check_close(HeadLinear(matrices)(x, tail), wanted, all_float ? 2e-5F : 1e-4F,
                      std::string(isa_name(isa)) + (all_float ? ", exact" : "") + ": " + what +
                          ", " + std::to_string(n) + " rows");
        }
      }
    }
  }
}

}  // namespace

TEST(head_linear_equals_mlx) {
  for (const Part& part : {Part{24, 0, 24}, Part{24, 0, 10}, Part{24, 10, 14}}) {
    for (const mx::Dtype dtype : {mx::float32, mx::bfloat16}) {
      against_mlx(part_of(dense(kHeads * 24, 40, dtype, 3), part), "dense");
    }
    for (const Kind& kind : kinds()) {
      const Matrix whole =
          quantized(kHeads * 24, 128, kind.format, kind.group, kind.bits, mx::float32, 4);
      against_mlx(part_of(whole, part), mode_name(kind.format) + std::to_string(kind.bits));
    }
  }
}

TEST(transposed_matrices_hold_the_same_numbers) {
  const Part part{24, 10, 14};
  for (const Kind& kind : kinds()) {
    const HeadMatrices matrices = part_of(
        quantized(kHeads * 24, 128, kind.format, kind.group, kind.bits, mx::bfloat16, 4), part);
    const HeadMatrices back = transposed(matrices, mx::float32);
    check_close(mx::swapaxes(unpacked(back), 1, 2), unpacked(matrices), 0.0F,
                mode_name(kind.format));
    against_mlx(back, "transposed");
  }
}

}  // namespace convergio::kernels::testing
