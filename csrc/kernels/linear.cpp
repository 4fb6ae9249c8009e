#include "kernels/linear.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "kernels/kernel_set.h"
#include "kernels/operand.h"
#include "kernels/pool.h"
#include "kernels/precision.h"
#include "kernels/primitive.h"
#include "mlx/ops.h"

namespace convergio::kernels {

std::string mode_name(Format format) {
  switch (format) {
    case Format::Dense:
      return "dense";
    case Format::Affine:
      return "affine";
    case Format::Mxfp4:
      return "mxfp4";
    case Format::Mxfp8:
      return "mxfp8";
    case Format::Nvfp4:
      return "nvfp4";
  }
  throw std::logic_error("[matrix] a format outside its enumeration.");
}

namespace {

/// A matrix's arrays as a primitive's inputs.
void add_inputs(const Matrix& weight, std::vector<mx::array>& inputs) {
  inputs.push_back(settled(weight.data));
  if (weight.format != Format::Dense) {
    inputs.push_back(settled(*weight.scales));
  }
  if (weight.format == Format::Affine) {
    inputs.push_back(settled(*weight.biases));
  }
}

/// A matrix without its numbers, which are there when the graph is evaluated.
Weights layout_of(const Matrix& weight) {
  const bool dense = weight.format == Format::Dense;
  return {.data = nullptr,
          .scales = nullptr,
          .biases = nullptr,
          .format = weight.format,
          .type = *type_of(dense ? weight.data.dtype() : weight.scales->dtype()),
          .bits = weight.bits,
          .group = weight.group_size,
          .rows = weight.rows,
          .cols = weight.cols};
}

/// The layout with the numbers that add_inputs put at `first` and after it.
Weights placed(Weights layout, const std::vector<mx::array>& inputs, std::size_t first) {
  layout.data = inputs[first].data<std::uint8_t>();
  if (layout.format != Format::Dense) {
    layout.scales = inputs[first + 1].data<std::uint8_t>();
  }
  if (layout.format == Format::Affine) {
    layout.biases = inputs[first + 2].data<std::uint8_t>();
  }
  return layout;
}

/// True for what the kernels know; anything else MLX's ops refuse or compute.
bool known(const Matrix& w) {
  const auto is_float = [](const std::optional<mx::array>& a) {
    return a && type_of(a->dtype()) && *type_of(a->dtype()) != Type::U8;
  };
  const auto is_byte = [](const std::optional<mx::array>& a) {
    return a && a->dtype() == mx::uint8;
  };
  switch (w.format) {
    case Format::Dense:
      return is_float(w.data);
    case Format::Affine:
      return is_float(w.scales) && is_float(w.biases) && w.scales->dtype() == w.biases->dtype() &&
             (w.bits == 2 || w.bits == 3 || w.bits == 4 || w.bits == 5 || w.bits == 6 ||
              w.bits == 8) &&
             w.group_size > 0 && w.group_size % 32 == 0;
    case Format::Mxfp4:
      return is_byte(w.scales) && w.bits == 4 && w.group_size == 32;
    case Format::Mxfp8:
      return is_byte(w.scales) && w.bits == 8 && w.group_size == 32;
    case Format::Nvfp4:
      return is_byte(w.scales) && w.bits == 4 && w.group_size == 16;
  }
  return false;
}

mx::array mlx_linear(const mx::array& x, const Matrix& weight,
                     const std::optional<mx::array>& bias) {
  mx::array y =
      weight.format == Format::Dense
          ? mx::matmul(x, mx::transpose(mx::astype(weight.data, x.dtype())))
          : mx::quantized_matmul(x, weight.data, *weight.scales, weight.biases, /*transpose=*/true,
                                 weight.group_size, weight.bits, mode_name(weight.format));
  return bias ? mx::add(y, mx::astype(*bias, y.dtype())) : y;
}

mx::array mlx_embedding(const mx::array& ids, const Matrix& weight, mx::Dtype dtype) {
  const mx::array rows = mx::take(weight.data, ids, 0);
  if (weight.format == Format::Dense) {
    return mx::astype(rows, dtype);
  }
  std::optional<mx::array> biases;
  if (weight.biases) {
    biases = mx::astype(mx::take(*weight.biases, ids, 0), dtype);
  }
  mx::array scales = mx::take(*weight.scales, ids, 0);
  if (weight.format == Format::Affine) {
    scales = mx::astype(scales, dtype);
  }
  return mx::dequantize(rows, scales, biases, weight.group_size, weight.bits,
                        mode_name(weight.format), std::nullopt, dtype);
}

constexpr std::int64_t kFloat = sizeof(float);

void add_bias(float* y, std::int64_t n, std::int64_t rows, const float* bias, std::int64_t begin,
              std::int64_t end) {
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t r = begin; r < end; ++r) {
      y[i * rows + r] += bias[r];
    }
  }
}

/// y = x · Wᵀ + bias over the pool; `bias` is null or `w.rows` floats.
void run_linear(const KernelSet& set, const Gemv& gemv, const Weights& w, Rows x, float* y,
                const float* bias) {
  constexpr std::int64_t kPieceBytes = 16 * 1024;  // of weights, at least
  const bool few = x.n <= kGemvRows;
  AlignedFloats arranged;
  if (const std::int64_t floats = few ? gemv.arranged_floats(w) : 0; floats > 0) {
    arranged = aligned_floats(x.n * floats);
    for (std::int64_t i = 0; i < x.n; ++i) {
      gemv.arrange(w, x.data + i * x.row, arranged.get() + i * floats);
    }
    x.data = arranged.get();
    x.row = floats;
  }
  const std::int64_t step = few ? 1 : kLinearPanelRows;
  const std::int64_t grain = few ? kPieceBytes / row_bytes(w) + 1 : kLinearPanelRows;
  parallel_ranges(w.rows, step, grain, [&](std::int64_t begin, std::int64_t end) {
    auto* work = static_cast<float*>(scratch(linear_work(w, x.n) * kFloat));
    const LinearPiece piece{x.data, x.row, x.n, y, w.rows, begin, end, work};
    (few ? gemv.run : set.matmul)(w, piece);
    if (bias != nullptr) {
      add_bias(y, x.n, w.rows, bias, begin, end);
    }
  });
}

/// The same with x rounded to 8 bits, some rows at a time to bound the memory they take.
void run_linear_int8(const Int8Set& set, const Weights& w, const Rows& x, float* y,
                     const float* bias) {
  constexpr std::int64_t kMostRows = 512;
  const std::int64_t groups = w.cols / w.group;
  const std::int64_t rows = std::min(x.n, kMostRows);
  const AlignedFloats scales = aligned_floats(2 * rows * groups);
  const AlignedFloats numbers = aligned_floats(rows * w.cols / 4);
  for (std::int64_t from = 0; from < x.n; from += rows) {
    const Int8Rows q{reinterpret_cast<std::int8_t*>(numbers.get()), scales.get(),
                     scales.get() + rows * groups, std::min(rows, x.n - from)};
    parallel_ranges(q.n, 1, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        set.round_row(w, x.data + (from + i) * x.row, q.numbers + i * w.cols, q.scales + i * groups,
                      q.sums + i * groups);
      }
    });
    float* out = y + from * w.rows;
    parallel_ranges(w.rows, kInt8Outputs, kInt8Outputs, [&](std::int64_t begin, std::int64_t end) {
      set.matmul(w, q, out, w.rows, begin, end, static_cast<std::uint8_t*>(scratch(int8_work(w))));
      if (bias != nullptr) {
        add_bias(out, q.n, w.rows, bias, begin, end);
      }
    });
  }
}

}  // namespace

mx::array linear(const mx::array& x, const Matrix& weight, const std::optional<mx::array>& bias) {
  if (!own_kernels(x) || !known(weight)) {
    return mlx_linear(x, weight, bias);
  }
  std::vector<mx::array> inputs{x};
  if (bias) {
    inputs.push_back(settled(mx::astype(*bias, mx::float32)));
  }
  const std::size_t first = inputs.size();
  add_inputs(weight, inputs);
  const Weights layout = layout_of(weight);
  const Int8Set* int8 = exact() ? nullptr : int8_set(active_isa(), layout);
  auto prepare = [&set = kernel_set(active_isa()), int8, layout, first](
                     const std::vector<mx::array>& in, mx::array& out) -> Work {
    allocate(out);
    return [&set, int8, w = placed(layout, in, first), x = rows_of(in[0]), y = out.data<float>(),
            bias = first == 2 ? in[1].data<float>() : nullptr] {
      std::vector<float> spare;
      const Rows rows = straight(x, spare);
      if (int8 != nullptr && rows.n > kGemvRows) {
        run_linear_int8(*int8, w, rows, y, bias);
      } else {
        run_linear(set, int8 != nullptr ? int8->gemv : set.gemv, w, rows, y, bias);
      }
    };
  };
  return cpu_op("linear", {x.shape(0), weight.rows}, mx::float32, std::move(inputs),
                std::move(prepare));
}

mx::array embedding(const mx::array& ids, const Matrix& weight, mx::Dtype dtype) {
  if (dtype != mx::float32 || ids.dtype() != mx::int32 || !own_kernels() || !known(weight)) {
    return mlx_embedding(ids, weight, dtype);
  }
  std::vector<mx::array> inputs{settled(ids)};
  add_inputs(weight, inputs);
  auto prepare = [&set = kernel_set(active_isa()), layout = layout_of(weight)](
                     const std::vector<mx::array>& in, mx::array& out) -> Work {
    allocate(out);
    return [&set, w = placed(layout, in, 1), id = in[0].data<std::int32_t>(),
            count = static_cast<std::int64_t>(in[0].size()), y = out.data<float>()] {
      auto* work = static_cast<float*>(scratch(linear_work(w, 1) * kFloat));
      for (std::int64_t i = 0; i < count; ++i) {
        float* row = y + i * w.cols;
        if (id[i] >= 0 && id[i] < w.rows) {
          set.dequantize(w, id[i], row, work);
        } else {
          std::fill(row, row + w.cols, 0.0F);  // the engine lets no such id through
        }
      }
    };
  };
  return cpu_op("embedding", {ids.shape(0), weight.cols}, dtype, std::move(inputs),
                std::move(prepare));
}

}  // namespace convergio::kernels
