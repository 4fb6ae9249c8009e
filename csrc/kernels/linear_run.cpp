#include "kernels/linear_run.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/pool.h"

namespace convergio::kernels {

namespace {

constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kMostRows = 512;     // of x at once: bounds what is rounded and kept a piece
constexpr std::int64_t kMostOutputs = 128;  // of a piece with many rows, likewise

/// Some outputs of one matrix, or of both of a gate, that one thread computes.
struct Piece {
  std::size_t matrix;
  std::int64_t begin;
  std::int64_t end;
  std::int64_t column;  ///< of `begin` in a row of y
};

struct Plan {
  std::vector<Piece> pieces;
  std::int64_t largest = 0;  ///< outputs
  std::int64_t width = 0;    ///< of a row of y
};

Plan plan_of(const LinearCall& call, bool few, std::int64_t step) {
  constexpr std::int64_t kPieceBytes = 16 * 1024;  // of weights, at least
  const std::size_t matrices = call.gate ? 1 : call.matrices.size();
  Plan plan;
  for (std::size_t i = 0; i < matrices; ++i) {
    plan.width += call.matrices[i].weights.rows;
  }
  const std::int64_t grain =
      few ? kPieceBytes / row_bytes(call.matrices.front().weights) + 1 : step;
  plan.largest = range_size(plan.width, step, grain);
  if (!few) {
    plan.largest = std::min(plan.largest, kMostOutputs / (call.gate ? 2 : 1));
  }
  std::int64_t column = 0;
  for (std::size_t i = 0; i < matrices; ++i) {
    const std::int64_t rows = call.matrices[i].weights.rows;
    for (std::int64_t begin = 0; begin < rows; begin += plan.largest) {
      plan.pieces.push_back({i, begin, std::min(rows, begin + plan.largest), column + begin});
    }
    column += rows;
  }
  return plan;
}

/// A piece's outputs of one matrix with their bias.
void add_bias(const LinearCall::Part& part, const Piece& piece, std::int64_t n, float* out) {
  const std::int64_t width = piece.end - piece.begin;
  for (std::int64_t i = 0; part.bias != nullptr && i < n; ++i) {
    for (std::int64_t r = 0; r < width; ++r) {
      float bias;
      std::memcpy(&bias, part.bias + (piece.begin + r) * kFloat, sizeof(bias));
      out[i * width + r] += bias;
    }
  }
}

/// What compute(weights, begin, end, out) gives for each piece, brought into rows [from, from + n)
/// of y. `work` is the bytes that compute finds before `out`.
template <class Compute>
void run_pieces(const KernelSet& set, const LinearCall& call, const Plan& plan, std::int64_t from,
                std::int64_t n, std::int64_t work, const Compute& compute) {
  const std::int64_t floats = n * plan.largest;
  const std::int64_t begin_of_out = (work + 63) / 64 * 64;
  parallel(static_cast<std::int64_t>(plan.pieces.size()), [&](std::int64_t index) {
    const Piece& piece = plan.pieces[static_cast<std::size_t>(index)];
    const std::int64_t width = piece.end - piece.begin;
    auto* memory =
        static_cast<std::uint8_t*>(scratch(begin_of_out + (call.gate ? 2 : 1) * floats * kFloat));
    auto* out = reinterpret_cast<float*>(memory + begin_of_out);
    const LinearCall::Part& part = call.matrices[piece.matrix];
    compute(part.weights, piece, out, memory);
    add_bias(part, piece, n, out);
    if (call.gate) {
      float* up = out + floats;
      compute(call.matrices[1].weights, piece, up, memory);
      add_bias(call.matrices[1], piece, n, up);
      set.gated(out, up, *call.gate, n * width, out);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      const float* sums = out + i * width;
      const float* onto =
          call.onto ? call.onto->data + (from + i) * call.onto->row + piece.column : nullptr;
      float* y = call.y + (from + i) * plan.width + piece.column;
      for (std::int64_t r = 0; r < width; ++r) {
        y[r] = onto == nullptr ? sums[r] : onto[r] + sums[r];
      }
    }
  });
}

/// A few rows, or many in float32.
void run_floats(const KernelSet& set, const Gemv& gemv, const LinearCall& call) {
  const Weights& layout = call.matrices.front().weights;
  const bool few = call.x.n <= kFewRows;
  Rows x = call.x;
  AlignedFloats arranged;
  if (const std::int64_t floats = few ? gemv.arranged_floats(layout) : 0; floats > 0) {
    arranged = aligned_floats(x.n * floats);
    for (std::int64_t i = 0; i < x.n; ++i) {
      gemv.arrange(layout, x.data + i * x.row, arranged.get() + i * floats);
    }
    x.data = arranged.get();
    x.row = floats;
  }
  const Plan plan = plan_of(call, few, few ? 1 : kLinearPanelRows);
  for (std::int64_t from = 0; from < x.n; from += kMostRows) {
    const std::int64_t n = std::min(kMostRows, x.n - from);
    run_pieces(set, call, plan, from, n, linear_work(layout, x.n) * kFloat,
               [&](const Weights& w, const Piece& piece, float* out, std::uint8_t* work) {
                 (few ? gemv.run : set.matmul)(
                     w, {x.data + from * x.row, x.row, n, out, piece.end - piece.begin, piece.begin,
                         piece.end, reinterpret_cast<float*>(work)});
               });
  }
}

/// Many rows, rounded to 16 bits.
void run_digits(const KernelSet& set, const DigitSet& digits, const LinearCall& call) {
  const Weights& layout = call.matrices.front().weights;
  const std::int64_t groups = layout.cols / layout.group;
  const std::int64_t rows = std::min(call.x.n, kMostRows);
  const AlignedFloats scales = aligned_floats(2 * rows * groups);
  const AlignedFloats numbers = aligned_floats(rows * layout.cols / 2);
  const Plan plan = plan_of(call, false, kDigitOutputs);
  for (std::int64_t from = 0; from < call.x.n; from += rows) {
    const DigitRows q{reinterpret_cast<std::int8_t*>(numbers.get()), scales.get(),
                      scales.get() + rows * groups, std::min(rows, call.x.n - from)};
    parallel_ranges(q.n, 1, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        digits.round_row(layout, call.x.data + (from + i) * call.x.row, i, q);
      }
    });
    run_pieces(set, call, plan, from, q.n, kDigitWork,
               [&](const Weights& w, const Piece& piece, float* out, std::uint8_t* work) {
                 digits.matmul(w, q, out, piece.end - piece.begin, piece.begin, piece.end, work);
               });
  }
}

}  // namespace

void run_linear(const KernelSet& set, const DigitSet* digits, const LinearCall& call) {
  if (digits != nullptr && call.x.n > kFewRows) {
    run_digits(set, *digits, call);
  } else {
    run_floats(set, digits != nullptr ? digits->gemv : set.gemv, call);
  }
}

}  // namespace convergio::kernels
