#include "kernels/linear.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "kernels/activation.h"
#include "kernels/kernel_set.h"
#include "kernels/linear_run.h"
#include "kernels/operand.h"
#include "kernels/pool.h"
#include "kernels/precision.h"
#include "kernels/primitive.h"
#include "kernels/view.h"
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

/// The two halves of a matrix's outputs.
std::vector<LinearCall::Part> halves(const LinearCall::Part& whole) {
  std::vector<LinearCall::Part> parts(2, whole);
  Weights& second = parts[1].weights;
  const std::int64_t rows = whole.weights.rows / 2;
  second.data += rows * row_bytes(whole.weights);
  if (second.format != Format::Dense) {
    const std::int64_t groups = rows * (second.cols / second.group) * group_bytes(second);
    second.scales += groups;
    second.biases = second.biases == nullptr ? nullptr : second.biases + groups;
  }
  parts[0].weights.rows = rows;
  second.rows = rows;
  parts[1].bias = whole.bias == nullptr ? nullptr : whole.bias + rows * std::int64_t{sizeof(float)};
  return parts;
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

mx::array mlx_linear(const mx::array& x, const Linear& linear) {
  const Matrix& weight = linear.weight;
  mx::array y =
      weight.format == Format::Dense
          ? mx::matmul(x, mx::transpose(mx::astype(weight.data, x.dtype())))
          : mx::quantized_matmul(x, weight.data, *weight.scales, weight.biases, /*transpose=*/true,
                                 weight.group_size, weight.bits, mode_name(weight.format));
  return linear.bias ? mx::add(y, mx::astype(*linear.bias, y.dtype())) : y;
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

/// True where the kernels may take these together: of one format and width, so that x is arranged
/// or rounded once for all.
bool alike(const std::vector<Linear>& linears) {
  const Matrix& a = linears.front().weight;
  return std::ranges::all_of(linears, [&](const Linear& l) {
    const Matrix& b = l.weight;
    return known(b) && a.format == b.format && a.bits == b.bits && a.group_size == b.group_size &&
           a.cols == b.cols && layout_of(a).type == layout_of(b).type;
  });
}

/// One op of matrices that are alike: `width` outputs a row.
mx::array linear_op(const char* name, const mx::array& x, const std::vector<Linear>& linears,
                    int width, std::optional<mx::array> onto, std::optional<Activation> gate) {
  std::vector<mx::array> inputs{x};
  if (onto) {
    inputs.push_back(*std::move(onto));
  }
  struct Place {
    Weights layout;
    std::size_t at;  ///< of the matrix among the inputs
    std::size_t bias;
  };
  std::vector<Place> places;
  for (const Linear& linear : linears) {
    Place place{layout_of(linear.weight), inputs.size(), 0};
    add_inputs(linear.weight, inputs);
    if (linear.bias) {
      place.bias = inputs.size();
      inputs.push_back(settled(mx::astype(*linear.bias, mx::float32)));
    }
    places.push_back(place);
  }
  const DigitSet* digits = exact() ? nullptr : digit_set(active_isa(), places.front().layout);
  auto prepare = [&set = kernel_set(active_isa()), digits, places = std::move(places), gate,
                  adds = onto.has_value()](const std::vector<mx::array>& in,
                                           mx::array& out) -> Work {
    LinearCall call{.matrices = {}, .x = rows_of(in[0]), .y = nullptr, .onto = {}, .gate = gate};
    if (adds) {
      take_over(in[1], out);
      call.onto = rows_of(in[1]);
    } else {
      allocate(out);
    }
    call.y = out.data<float>();
    for (const Place& p : places) {
      call.matrices.push_back(
          {placed(p.layout, in, p.at), p.bias > 0 ? in[p.bias].data<std::uint8_t>() : nullptr});
    }
    if (gate && call.matrices.size() == 1) {
      call.matrices = halves(call.matrices.front());
    }
    return [&set, digits, call = std::move(call)]() mutable {
      std::vector<float> spare_x;
      std::vector<float> spare_onto;
      call.x = straight(call.x, spare_x);
      if (call.onto) {
        call.onto = straight(*call.onto, spare_onto);
      }
      run_linear(set, digits, call);
    };
  };
  return cpu_op(name, {x.shape(0), width}, mx::float32, std::move(inputs), std::move(prepare));
}

}  // namespace

mx::array linear(const mx::array& x, const Linear& linear) {
  if (!own_kernels(x) || !known(linear.weight)) {
    return mlx_linear(x, linear);
  }
  return linear_op("linear", x, {linear}, linear.weight.rows, std::nullopt, std::nullopt);
}

mx::array linear_onto(mx::array onto, const mx::array& x, const Linear& linear) {
  if (!own_kernels(x) || onto.dtype() != mx::float32 || !known(linear.weight)) {
    return mx::add(onto, mlx_linear(x, linear));
  }
  return linear_op("linear_onto", x, {linear}, linear.weight.rows, std::move(onto), std::nullopt);
}

std::vector<mx::array> linears(const mx::array& x, const std::vector<Linear>& all) {
  std::vector<mx::array> ys;
  if (!own_kernels(x) || !alike(all)) {
    for (const Linear& each : all) {
      ys.push_back(linear(x, each));
    }
    return ys;
  }
  int width = 0;
  mx::Shape ends;
  for (const Linear& each : all) {
    width += each.weight.rows;
    ends.push_back(width);
  }
  ends.pop_back();
  return split_columns(linear_op("linears", x, all, width, std::nullopt, std::nullopt), ends);
}

mx::array gated_linear(const mx::array& x, const std::vector<Linear>& gate_up,
                       Activation activation) {
  const int width = gate_up[0].weight.rows / (gate_up.size() == 1 ? 2 : 1);
  if (own_kernels(x) && alike(gate_up)) {
    return linear_op("gated_linear", x, gate_up, width, std::nullopt, activation);
  }
  const std::vector<mx::array> ys =
      gate_up.size() == 1 ? mx::split(linear(x, gate_up[0]), 2, 1) : linears(x, gate_up);
  return gated(ys[0], ys[1], activation);
}

mx::array embedding(const mx::array& ids, const Matrix& weight, mx::Dtype dtype, float multiplier) {
  if (dtype != mx::float32 || ids.dtype() != mx::int32 || !own_kernels() || !known(weight)) {
    const mx::array rows = mlx_embedding(ids, weight, dtype);
    return multiplier == 1.0F ? rows : mx::multiply(rows, mx::array(multiplier, dtype));
  }
  std::vector<mx::array> inputs{settled(ids)};
  add_inputs(weight, inputs);
  auto prepare = [&set = kernel_set(active_isa()), layout = layout_of(weight), multiplier](
                     const std::vector<mx::array>& in, mx::array& out) -> Work {
    allocate(out);
    return [&set, multiplier, w = placed(layout, in, 1), id = in[0].data<std::int32_t>(),
            count = static_cast<std::int64_t>(in[0].size()), y = out.data<float>()] {
      auto* work = static_cast<float*>(scratch(linear_work(w, 1) * std::int64_t{sizeof(float)}));
      for (std::int64_t i = 0; i < count; ++i) {
        float* row = y + i * w.cols;
        if (id[i] >= 0 && id[i] < w.rows) {
          set.dequantize(w, id[i], row, work);
          std::for_each_n(row, w.cols, [&](float& x) { x *= multiplier; });
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
