#pragma once

#include <cstdint>

#include "kernels/format.h"
#include "kernels/isa.h"

// The kernels of one instruction set, over raw memory: nothing of MLX. Each function is compiled
// once a set, from the same *.inl.h, and works on a piece that one thread takes.
namespace convergio::kernels {

/// The type of a number in memory, at any alignment.
enum class Type : std::uint8_t { F32, F16, Bf16, U8 };

/// A matrix of `rows` outputs by `cols` inputs, rows one after another.
struct Weights {
  const std::uint8_t* data;
  const std::uint8_t* scales;  ///< null where Dense
  const std::uint8_t* biases;  ///< null where not Affine
  Format format;
  Type type;  ///< Dense: of the data; Affine: of scales and biases; else U8
  int bits;
  int group;
  std::int64_t rows;
  std::int64_t cols;
};

/// The bytes of one row of `w.data`.
constexpr std::int64_t row_bytes(const Weights& w) {
  if (w.format == Format::Dense) {
    return w.cols * (w.type == Type::F32 ? 4 : 2);
  }
  return w.cols * w.bits / 8;
}

/// y = x · Wᵀ for the outputs [begin, end): x is (n, cols), y (n, rows), strides in floats.
struct LinearPiece {
  const float* x;
  std::int64_t x_stride;
  std::int64_t n;
  float* y;
  std::int64_t y_stride;
  std::int64_t begin;
  std::int64_t end;
  float* work;  ///< linear_work() floats of the thread's own, aligned to 64 bytes
};

struct KernelSet {
  /// gemv may want each row of x laid out another way: the floats that takes (0: as it is), and
  /// the laying out of one row.
  std::int64_t (*arranged_floats)(const Weights& w);
  void (*arrange)(const Weights& w, const float* x, float* out);
  /// A few rows of x, arranged: each weight is unpacked once for up to four of them.
  void (*gemv)(const Weights& w, const LinearPiece& piece);
  /// Many rows: a panel of weights is unpacked, then used for all rows of x.
  void (*matmul)(const Weights& w, const LinearPiece& piece);
  /// One row of the matrix, `cols` floats.
  void (*dequantize)(const Weights& w, std::int64_t row, float* out, float* work);
};

/// The weights that matmul unpacks at a time.
constexpr std::int64_t kLinearPanelRows = 16;
constexpr std::int64_t kLinearPanelCols = 1024;

/// The most rows of x that gemv takes.
constexpr std::int64_t kGemvRows = 8;

/// The floats of `work` that a piece needs.
std::int64_t linear_work(const Weights& w, std::int64_t n);

/// The kernels of a set that this machine has; never Off.
const KernelSet& kernel_set(Isa isa);

}  // namespace convergio::kernels
