#pragma once

#include <cstdint>

#include "kernels/activation_kind.h"
#include "kernels/format.h"
#include "kernels/isa.h"

// The kernels of one instruction set, over raw memory: nothing of MLX. Each function is compiled
// once a set, from the same *.inl.h, and works on a piece that one thread takes.
namespace convergio::kernels {

/// The type of a number in memory, at any alignment.
enum class Type : std::uint8_t { F32, F16, Bf16, U8 };

/// The bytes of a number.
constexpr std::int64_t type_bytes(Type type) {
  return type == Type::F32 ? 4 : type == Type::U8 ? 1 : 2;
}

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
    return w.cols * type_bytes(w.type);
  }
  return w.cols * w.bits / 8;
}

/// The bytes of a group's scale, and of its bias.
constexpr std::int64_t group_bytes(const Weights& w) { return type_bytes(w.type); }

/// y = x · Wᵀ for the outputs [begin, end): x is (n, cols), strides in floats, y[0] the first row's
/// output `begin`.
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

/// The keys or the values of a cache: row i of head h begins at data + h · head_bytes + i ·
/// row_bytes, its numbers side by side.
struct KeysOrValues {
  const std::uint8_t* data;
  Type type;  ///< of both alike
  std::int64_t head_bytes;
  std::int64_t row_bytes;
};

/// Causal attention of n positions, the last of which stands at the last of m keys.
struct Attention {
  const float* q;  ///< position i, head h at q + i · q_row + h · q_head
  std::int64_t q_row;
  std::int64_t q_head;
  KeysOrValues keys;
  KeysOrValues values;
  std::int64_t n;
  std::int64_t m;
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_dim;
  float scale;
  float softcap;
  std::int64_t window;
};

/// One KV head, positions [begin, end) and keys [from, to) of an attention.
struct AttentionPiece {
  std::int64_t head;
  std::int64_t begin;
  std::int64_t end;
  std::int64_t from;
  std::int64_t to;
  float* out;   ///< attention_row() floats for each position and each of the KV head's query heads
  float* work;  ///< attention_work() floats of the thread's own
};

/// A row of a piece's result: the mix of values (head_dim floats, padded), not yet divided by its
/// sum; then the largest score and the sum of the weights.
constexpr std::int64_t attention_width(std::int64_t head_dim) { return (head_dim + 15) / 16 * 16; }
constexpr std::int64_t attention_row(std::int64_t head_dim) {
  return attention_width(head_dim) + 2;
}
constexpr std::int64_t kAttentionKeys = 64;  ///< keys taken at a time
constexpr std::int64_t attention_work(std::int64_t rows, std::int64_t head_dim) {
  return rows * (head_dim + kAttentionKeys) + kAttentionKeys * attention_width(head_dim) + 16;
}

/// A few rows of x: each weight is unpacked once for up to four of them.
struct Gemv {
  /// `run` may want each row of x laid out another way ("arranged"): the floats that takes (0: as
  /// it is), and the laying out of one row.
  std::int64_t (*arranged_floats)(const Weights& w);
  void (*arrange)(const Weights& w, const float* x, float* out);
  void (*run)(const Weights& w, const LinearPiece& piece);
};

struct KernelSet {
  Gemv gemv;
  /// Many rows: a panel of weights is unpacked, then used for all rows of x.
  void (*matmul)(const Weights& w, const LinearPiece& piece);
  /// One row of the matrix, `cols` floats.
  void (*dequantize)(const Weights& w, std::int64_t row, float* out, float* work);
  /// One row: x / sqrt(mean(x²) + eps) · weight.
  void (*rms_norm)(const float* x, const float* weight, float eps, std::int64_t width, float* out);
  /// One row: activation(gate) · up.
  void (*gated)(const float* gate, const float* up, Activation activation, std::int64_t width,
                float* out);
  /// One head of `width` numbers, of which the first 2 · half are turned.
  void (*rope)(const float* x, const float* cosines, const float* sines, std::int64_t half,
               std::int64_t width, float* out);
  void (*cast_row)(const float* x, std::int64_t width, Type type, std::uint8_t* out);
  void (*attend)(const Attention& attention, const AttentionPiece& piece);
};

/// The weights that matmul unpacks at a time.
constexpr std::int64_t kLinearPanelRows = 16;
constexpr std::int64_t kLinearPanelCols = 1024;

/// Rows of x rounded to 16 bits, a scale and a sum for each group of a matrix. Each kDigitCols
/// inputs (the last time those that are left) are a block: its digits, scales and sums lie
/// together, row by row.
struct DigitRows {
  std::int8_t* digits;  ///< 2 · n · cols: the high digits of four inputs, the low ones, and so on
  float* scales;        ///< n · groups
  float* sums;          ///< n · groups: of the rounded numbers times their scale
  std::int64_t n;
};

/// The kernels that multiply whole numbers: activations of 16 bits in two digits of 8.
struct DigitSet {
  Gemv gemv;
  /// Row `row` of x.
  void (*round_row)(const Weights& w, const float* x, std::int64_t row, const DigitRows& out);
  /// y = x · Wᵀ for all rows of x and the outputs [begin, end), `begin` at y[0]; `work` is
  /// kDigitWork bytes.
  void (*matmul)(const Weights& w, const DigitRows& x, float* y, std::int64_t y_stride,
                 std::int64_t begin, std::int64_t end, void* work);
};

/// The outputs and inputs that DigitSet::matmul takes at a time, and the memory for them.
constexpr std::int64_t kDigitOutputs = 32;
constexpr std::int64_t kDigitCols = 512;
constexpr std::int64_t kDigitWork = 34 * 1024;

/// Those of a set, where this machine has them and the format has small whole numbers; else null.
const DigitSet* digit_set(Isa isa, const Weights& w);

/// The most rows that the kernels for few rows take: of x, and of queries over one KV head.
constexpr std::int64_t kFewRows = 8;

/// The floats of `work` that a piece needs.
std::int64_t linear_work(const Weights& w, std::int64_t n);

/// The kernels of a set that this machine has; never Off.
const KernelSet& kernel_set(Isa isa);

}  // namespace convergio::kernels
