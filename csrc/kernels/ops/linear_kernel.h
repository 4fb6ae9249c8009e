#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/bodies/activation_kind.h"
#include "kernels/bodies/kernel_set.h"
#include "kernels/mlx/operand.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/matrix.h"
#include "kernels/ops/product.h"

namespace convergio::kernels {

/// What cpu_op runs for linear, linears, linear_onto and gated_linear: x · Wᵀ + bias of matrices
/// that are alike (format, group, inputs), their outputs side by side in a row of y; or, with
/// `gate`, activation(first) · second of two.
class LinearKernel {
 public:
  /// `inputs` holds x, then what is added to the result where `adds`; the matrices' arrays are
  /// appended to it.
  LinearKernel(const std::vector<Linear>& linears, std::optional<Activation> gate, bool adds,
               std::vector<mx::array>& inputs);

  /// Outputs a row of y.
  int width() const { return static_cast<int>(width_); }

  void bind(const std::vector<mx::array>& inputs, mx::array& out);
  void run();

 private:
  /// A matrix and its bias: as inputs of the op, then as pointers.
  struct Operand {
    MatrixOperand matrix;
    std::size_t bias;  ///< its index among the inputs; 0: none
  };
  /// Some outputs of one matrix, or of both of a gate, that one thread computes.
  struct Piece {
    std::size_t matrix;
    std::int64_t begin;
    std::int64_t end;
    std::int64_t column;  ///< of `begin` in a row of y
  };
  /// Rows [from, from + n) of x as the kernel at hand reads them.
  struct Chunk {
    std::int64_t from;
    std::int64_t n;
    const float* x;
    std::int64_t x_stride;
    Product product;
  };

  const Weights& layout() const { return matrices_.front().weights; }
  void split_outputs();
  Chunk prepack(const Rows& x, std::int64_t from, std::int64_t n) const;
  RowsAfter after(const Piece& piece) const;
  void compute(const Chunk& chunk, const Piece& piece) const;

  const KernelSet& set_;
  std::optional<Activation> gate_;
  bool adds_;
  std::vector<Operand> operands_;
  std::int64_t width_;

  std::vector<BoundLinear> matrices_;
  RowsOperand x_;
  RowsOperand addend_;
  Rows added_{};
  float* y_ = nullptr;
  std::vector<Piece> pieces_;
  std::int64_t chunk_rows_ = 0;         ///< of x
  std::int64_t largest_piece_ = 0;      ///< outputs
  std::int64_t work_bytes_ = 0;         ///< of a piece's own memory, before its results
  std::shared_ptr<float[]> prepacked_;  ///< of a chunk
};

}  // namespace convergio::kernels
