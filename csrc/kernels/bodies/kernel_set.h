#pragma once

#include <cstdint>

#include "formats/quantization.h"
#include "formats/reach.h"
#include "kernels/bodies/activation_kind.h"
#include "kernels/cpu/isa.h"

// The kernels of one instruction set, over raw memory: nothing of MLX. Each function is compiled
// once a set, from the same *.inl.h, and works on a piece that one thread takes.
namespace convergio::kernels {

using formats::Format;

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
  std::int64_t first_key;  ///< the position of key 0 in the sequence
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t key_dim;    ///< numbers of a query and of a key
  std::int64_t value_dim;  ///< numbers of a value
  float scale;
  float temperature_beta;  ///< queries are multiplied by 1 + beta · log(1 + ⌊position / period⌋)
  double temperature_period;
  double temperature_offset;  ///< added to positions for that
  float softcap;
  formats::Reach reach;
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

/// A row's result over some of its keys: the values by their weights (value_dim floats, padded),
/// not yet divided by the weights' total; then the largest score, minus infinity before the first
/// key, and that total.
constexpr std::int64_t attention_width(std::int64_t dim) { return (dim + 15) / 16 * 16; }
constexpr std::int64_t attention_row(std::int64_t value_dim) {
  return attention_width(value_dim) + 2;
}
struct PartialRow {
  float* mix;
  float* highest;
  float* total;
};
constexpr PartialRow partial_row(float* rows, std::int64_t row, std::int64_t value_dim) {
  float* at = rows + row * attention_row(value_dim);
  return {at, at + attention_width(value_dim), at + attention_width(value_dim) + 1};
}

/// A row's keys are taken in chunks that begin at multiples of this in the sequence. Each has a
/// partial result of its own, and they are merged in order: a row's numbers are then the same
/// whether its keys are shared between threads or not.
constexpr std::int64_t kAttentionChunk = 512;
constexpr std::int64_t kAttentionKeys = 64;  ///< keys taken at a time
constexpr std::int64_t attention_work(std::int64_t rows, std::int64_t key_dim,
                                      std::int64_t value_dim) {
  const std::int64_t widest = attention_width(key_dim > value_dim ? key_dim : value_dim);
  return rows * (key_dim + kAttentionKeys) + kAttentionKeys * widest + 16;
}

/// Tokens that go through some rows of a value head's state, each of `width` numbers, side by side:
/// q, k and v of the token i at i times their row, with their lengths and scales.
struct GatedDeltaPiece {
  float* state;
  std::int64_t rows;
  std::int64_t width;
  std::int64_t tokens;
  const float* q;
  const float* k;
  std::int64_t key_row;
  const float* v;
  std::int64_t v_row;
  const float* decay;
  std::int64_t decay_row;
  bool decay_by_number;  ///< `width` of them a token, else one
  const float* beta;
  std::int64_t beta_row;
  float* y;
  std::int64_t y_row;
};

/// The same of a selective state space.
struct SelectiveScanPiece {
  float* state;
  std::int64_t rows;
  std::int64_t width;
  std::int64_t tokens;
  const float* x;
  std::int64_t x_row;
  const float* b;
  const float* c;
  std::int64_t bc_row;
  const float* dt;
  const float* decay;
  std::int64_t dt_row;  ///< of decay too
  float d;
  float* y;
  std::int64_t y_row;
};

/// One row of a causal convolution of `width` channels, side by side in its inputs.
struct ConvRow {
  const float* const* inputs;  ///< a row for each tap
  std::int64_t taps;
  const float* weight;  ///< a row for each tap, weight_row apart
  std::int64_t weight_row;
  const float* bias;   ///< or null
  const float* after;  ///< what the results are multiplied by, or null
  bool silu;
  std::int64_t width;
  float* y;
};

/// One or a few rows of x.
struct Gemv {
  /// The floats of a row of x that is prepacked, laid out as `run` reads it (0: it is read as it
  /// is), and the prepacking of one row.
  std::int64_t (*prepacked_floats)(const Weights& w);
  void (*prepack)(const Weights& w, const float* x, float* out);
  void (*run)(const Weights& w, const LinearPiece& piece);
};

struct KernelSet {
  Gemv gemv;
  /// Many rows, prepacked as for gemv: a panel of weights is unpacked, then used for all of them.
  void (*matmul)(const Weights& w, const LinearPiece& piece);
  /// One row of the matrix, `cols` floats.
  void (*dequantize)(const Weights& w, std::int64_t row, float* out, float* work);
  /// One row: x / sqrt(mean(x²) + eps) · weight.
  void (*rms_norm)(const float* x, const float* weight, float eps, std::int64_t width, float* out);
  /// One row: (x - mean) / sqrt(variance + eps) · weight + bias, which may be null.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps,
                     std::int64_t width, float* out);
  /// One row: activation(gate) · up; activation(gate) where `up` is null.
  void (*gated)(const float* gate, const float* up, Activation activation, std::int64_t width,
                float* out);
  /// One row: (clamp(up) + 1) · gate · sigmoid(alpha · gate), gate at most `limit`, up within it.
  void (*clamped_swiglu)(const float* gate, const float* up, float alpha, float limit,
                         std::int64_t width, float* out);
  /// One row.
  void (*xielu)(const float* x, const Xielu& parameters, std::int64_t width, float* out);
  /// One head of `width` numbers, of which the first 2 · half are rotated: number i with i + half.
  void (*rope)(const float* x, const float* cosines, const float* sines, std::int64_t half,
               std::int64_t width, float* out);
  /// The same, number 2i with 2i + 1.
  void (*rope_pairs)(const float* x, const float* cosines, const float* sines, std::int64_t half,
                     std::int64_t width, float* out);
  void (*cast_row)(const float* x, std::int64_t width, Type type, std::uint8_t* out);
  /// Keys of one chunk.
  void (*attend)(const Attention& attention, const AttentionPiece& piece);
  /// One row's partial result, and that of the keys after them.
  void (*merge_partials)(float* into, const float* from, std::int64_t value_dim);
  /// One row: log(1 + eˣ) of x + bias, at least `least` and at most `most`.
  void (*softplus)(const float* x, const float* bias, float least, float most, std::int64_t width,
                   float* out);
  /// One row: exp(-rate · x); `one_rate`: the first is everybody's.
  void (*decay)(const float* x, const float* rate, bool one_rate, std::int64_t width, float* out);
  void (*causal_conv)(const ConvRow& row);
  void (*gated_delta)(const GatedDeltaPiece& piece);
  void (*selective_scan)(const SelectiveScanPiece& piece);
};

/// The floats of a row of W as matmul unpacks it: its numbers, the scales of their vectors (up to
/// one for four) and biases. Some more, so that rows do not begin at multiples of a page, which the
/// first-level cache holds few of.
constexpr std::int64_t panel_floats(const Weights& w) {
  if (w.format == Format::Dense || w.bits % 2 == 1 || w.bits == 6 || w.format == Format::Mxfp8) {
    return (w.cols + 47) / 16 * 16;
  }
  return (w.cols + w.cols / 4 + w.cols / w.group + 335) / 16 * 16;
}

/// The rows of W that matmul unpacks at a time: what the second-level cache holds.
constexpr std::int64_t panel_rows(const Weights& w) {
  constexpr std::int64_t kPanelFloats = 32 * 1024;
  const std::int64_t rows = kPanelFloats / panel_floats(w) / 4 * 4;
  return rows < 4 ? 4 : rows > 16 ? 16 : rows;
}

/// Rows of x rounded to 16 bits, a scale and a sum for each group of a matrix, as the set's matmul
/// reads them: that follows from the matrix and n alone. Of many rows, each kInt16Cols inputs (the
/// last time those that are left) are a block: its bytes, scales and sums lie together, row by row.
struct Int16Rows {
  std::int8_t* bytes;  ///< 2 · n · cols: of many rows the high bytes of a group, then its low ones
  float* scales;       ///< n · groups
  float* sums;         ///< n · groups: of the rounded numbers times their scale
  std::int64_t n;
};

/// Rows of a matrix from `row` on that the thread will want after those at hand.
struct RowsAfter {
  const Weights* weights = nullptr;  ///< null: nothing is known of them
  std::int64_t row = 0;
};

/// The kernels that multiply whole numbers: activations of 16 bits as high and low int8.
struct Int16Set {
  Gemv gemv;
  std::int64_t gemv_rows;  ///< of x, at most: more are faster by matmul
  /// Row `row` of x.
  void (*quantize_row)(const Weights& w, const float* x, std::int64_t row, const Int16Rows& out);
  /// y = x · Wᵀ for all rows of x and the outputs [begin, end), `begin` at y[0]; `work` is
  /// kInt16Work bytes. The first rows of `after`, alike in format and columns, are prefetched.
  void (*matmul)(const Weights& w, const Int16Rows& x, float* y, std::int64_t y_stride,
                 std::int64_t begin, std::int64_t end, const RowsAfter& after, void* work);
  /// The most rows of x and outputs of one call that the caches hold.
  struct {
    std::int64_t rows;
    std::int64_t outputs;
  } most;
};

/// The outputs and inputs that Int16Set::matmul takes at a time of many rows, and its memory.
constexpr std::int64_t kInt16Outputs = 32;
constexpr std::int64_t kInt16Cols = 512;
constexpr std::int64_t kInt16Work = 24 * 1024;

/// Those of a set, where this machine has them and the format has small whole numbers; else null.
const Int16Set* int16_set(Isa isa, const Weights& w);

/// The most rows of x that are faster by a set's gemv than by its matmul: a gemv unpacks W for
/// less, a matmul does less for each row.
constexpr std::int64_t kFewRows = 8;

/// The floats of `work` that a piece needs.
std::int64_t linear_work(const Weights& w, std::int64_t n);

/// The kernels of a set that this machine has; never Off.
const KernelSet& kernel_set(Isa isa);

}  // namespace convergio::kernels
