#include "kernels/ops/matrix.h"

#include "kernels/mlx/operand.h"

namespace convergio::kernels {

std::string mode_name(Format format) {
  const formats::QuantizedFormat* row = formats::quantized_format(format);
  return row == nullptr ? "dense" : std::string(row->mode);
}

bool kernels_read(const Matrix& matrix) {
  const auto is_float = [](const mx::array& a) {
    const auto type = type_of(a.dtype());
    return type && *type != Type::U8;
  };
  const formats::QuantizedFormat* row = formats::quantized_format(matrix.format);
  if (row == nullptr) {
    return is_float(matrix.data);
  }
  if (!matrix.scales || !row->supports(matrix.bits, matrix.group_size)) {
    return false;
  }
  if (row->has_biases()) {
    return is_float(*matrix.scales) && matrix.biases &&
           matrix.biases->dtype() == matrix.scales->dtype();
  }
  return matrix.scales->dtype() == mx::uint8;
}

MatrixOperand::MatrixOperand(const Matrix& matrix, std::vector<mx::array>& inputs)
    : layout_{.data = nullptr,
              .scales = nullptr,
              .biases = nullptr,
              .format = matrix.format,
              .type = *type_of(matrix.format == Format::Dense ? matrix.data.dtype()
                                                              : matrix.scales->dtype()),
              .bits = matrix.bits,
              .group = matrix.group_size,
              .rows = matrix.rows,
              .cols = matrix.cols},
      first_(inputs.size()) {
  inputs.push_back(row_contiguous(matrix.data));
  if (matrix.format != Format::Dense) {
    inputs.push_back(row_contiguous(*matrix.scales));
  }
  if (matrix.format == Format::Affine) {
    inputs.push_back(row_contiguous(*matrix.biases));
  }
}

Weights MatrixOperand::bind(const std::vector<mx::array>& inputs) const {
  Weights bound = layout_;
  bound.data = inputs[first_].data<std::uint8_t>();
  if (bound.format != Format::Dense) {
    bound.scales = inputs[first_ + 1].data<std::uint8_t>();
  }
  if (bound.format == Format::Affine) {
    bound.biases = inputs[first_ + 2].data<std::uint8_t>();
  }
  return bound;
}

Weights rows_of(const Weights& whole, std::int64_t begin, std::int64_t end) {
  Weights part = whole;
  part.data += begin * row_bytes(whole);
  if (whole.format != Format::Dense) {
    const std::int64_t groups = begin * (whole.cols / whole.group) * group_bytes(whole);
    part.scales += groups;
    part.biases = whole.biases == nullptr ? nullptr : whole.biases + groups;
  }
  part.rows = end - begin;
  return part;
}

}  // namespace convergio::kernels
