#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/bodies/kernel_set.h"

namespace convergio::kernels {

/// A matrix and its bias in memory.
struct BoundLinear {
  Weights weights;
  const std::byte* bias;  ///< null, or a float32 for each output, at any address
};

/// Outputs [begin, end).
BoundLinear rows_of(const BoundLinear& whole, std::int64_t begin, std::int64_t end);

/// The kernel that multiplies `n` rows of x by matrices of one layout: how it reads x, what memory
/// it takes and how outputs may be cut into pieces. A row's numbers do not depend on n.
class Product {
 public:
  /// `layout` is the matrices' shape and format; its pointers are not read.
  Product(const Weights& layout, std::int64_t n) : Product(layout, n, n) {}
  /// By the kernel for `all` rows, of which these are n.
  Product(const Weights& layout, std::int64_t n, std::int64_t all);

  /// The floats that n rows take prepacked; 0: x is read as it is.
  std::int64_t prepacked_floats() const { return n_ * row_floats_; }
  /// Of one row, however many are prepacked together: no more than this.
  static std::int64_t most_row_floats(const Weights& layout);
  /// Row i of x, into the memory of all n.
  void prepack(const float* x, std::int64_t i, float* memory) const;

  /// Rows that a thread prepacks at a time, to be worth its while.
  static constexpr std::int64_t kRowsWorthSharing = 8;

  std::int64_t step() const;   ///< outputs of a piece are a multiple of this
  std::int64_t grain() const;  ///< and at least so many, to be worth a thread's while
  std::int64_t most() const;   ///< and at most
  /// Rows of x that are worth taking at a time, of `all` there are: so that all times have about as
  /// many.
  static std::int64_t rows_at_a_time(const Weights& layout, std::int64_t all);
  std::int64_t work_bytes() const;  ///< of the thread's own memory, beside its outputs

  /// Outputs [begin, end) of every row of x, side by side in `out`: prepacked rows, or with a
  /// stride of `x_stride` where x is read as it is. `after`, of the same layout, comes next on this
  /// thread.
  void run(const BoundLinear& linear, const float* x, std::int64_t x_stride, std::int64_t begin,
           std::int64_t end, const RowsAfter& after, void* work, float* out) const;

 private:
  bool int16_matmul() const { return int16_ != nullptr && many_; }
  const Gemv& gemv() const { return int16_ != nullptr ? int16_->gemv : set_.gemv; }
  Int16Rows int16_rows(float* memory) const;

  const KernelSet& set_;
  const Int16Set* int16_;  ///< null where activations stay float32
  Weights layout_;
  std::int64_t n_;
  bool many_;
  std::int64_t row_floats_;
};

}  // namespace convergio::kernels
