#pragma once

#include <array>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "kernels/mlx/operand.h"
#include "kernels/mlx/primitive.h"

namespace convergio::kernels {

/// What cpu_op runs for a row_op.
template <std::size_t kInputs, class Body>
struct RowKernel {
  Body body;
  std::array<RowsOperand, kInputs> inputs{};
  float* y = nullptr;

  void bind(const std::vector<mx::array>& in, mx::array& out) {
    donate(in[0], out);
    for (std::size_t i = 0; i < kInputs; ++i) {
      inputs[i] = RowsOperand(in[i]);
    }
    y = out.data<float>();
  }

  void run() {
    std::array<Rows, kInputs> rows;
    for (std::size_t i = 0; i < kInputs; ++i) {
      rows[i] = inputs[i].read();
    }
    body(rows, y);
  }
};

/// An op on rows of float32, whose result has the shape of the first input and may be written over
/// it: body(rows, y) takes the inputs as rows of unit stride and writes y, row after row.
template <std::size_t kInputs, class Body>
mx::array row_op(const char* name, std::array<mx::array, kInputs> inputs, Body body) {
  mx::Shape shape = inputs[0].shape();
  std::vector<mx::array> moved(std::move_iterator(inputs.begin()),
                               std::move_iterator(inputs.end()));
  return cpu_op(name, std::move(shape), mx::float32, std::move(moved),
                RowKernel<kInputs, Body>{.body = std::move(body)});
}

}  // namespace convergio::kernels
