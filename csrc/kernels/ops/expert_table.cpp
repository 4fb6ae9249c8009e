#include "kernels/ops/expert_table.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "kernels/mlx/operand.h"
#include "kernels/mlx/primitive.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::kernels {

namespace {

/// True where one prepacked x serves both.
bool alike(const Matrix& a, const Matrix& b) {
  return a.format == b.format && a.bits == b.bits && a.group_size == b.group_size &&
         a.cols == b.cols &&
         (a.format == Format::Dense ? a.data.dtype() == b.data.dtype()
                                    : a.scales->dtype() == b.scales->dtype());
}

bool readable(const ExpertWeights& weights) {
  const auto parts_readable = [](const ExpertStack& stack) {
    return std::ranges::all_of(stack.parts,
                               [](const Linear& part) { return kernels_read(part.weight); });
  };
  return parts_readable(weights.down) && std::ranges::all_of(weights.gate_up, parts_readable) &&
         alike(weights.gate_up.front().parts.front().weight,
               weights.gate_up.back().parts.front().weight);
}

/// Biases as the kernels take them.
void prepare(ExpertStack& stack) {
  for (Linear& part : stack.parts) {
    if (part.bias) {
      part.bias = row_contiguous(mx::astype(*part.bias, mx::float32));
      mx::eval(*part.bias);
    }
  }
}

/// One of `rows` outputs for each expert.
std::vector<BoundLinear> bind(const ExpertStack& stack, int experts) {
  std::vector<BoundLinear> all;
  for (int e = 0; e < experts; ++e) {
    const Linear& part = stack.parts[stack.stacked ? 0 : static_cast<std::size_t>(e)];
    const std::int64_t rows = part.weight.rows;
    std::vector<mx::array> arrays;
    const MatrixOperand operand(part.weight, arrays);
    const BoundLinear linear{operand.bind(arrays),
                             part.bias ? part.bias->data<std::byte>() : nullptr};
    all.push_back(stack.stacked ? rows_of(linear, e * rows, (e + 1) * rows) : linear);
  }
  return all;
}

/// Outputs [begin, end) of each.
std::vector<BoundLinear> rows_of_each(std::vector<BoundLinear> all, std::int64_t begin,
                                      std::int64_t end) {
  for (BoundLinear& one : all) {
    one = rows_of(one, begin, end);
  }
  return all;
}

}  // namespace

std::shared_ptr<const ExpertTable> expert_table(const ExpertWeights& weights,
                                                const formats::Experts& config) {
  if (!own_kernels() || !readable(weights)) {
    return nullptr;
  }
  auto table = std::make_shared<ExpertTable>(
      ExpertTable{.gate = {}, .up = {}, .down = {}, .weights = weights});
  for (ExpertStack& stack : table->weights.gate_up) {
    prepare(stack);
  }
  prepare(table->weights.down);
  for (auto* numbers : {&table->weights.correction, &table->weights.scales}) {
    if (*numbers) {
      mx::eval(**numbers);
    }
  }
  const int experts = config.router.experts;
  const bool halves = config.gated && !weights.interleaved;
  table->gate = bind(table->weights.gate_up.front(), experts);
  if (halves) {
    table->up = bind(table->weights.gate_up.back(), experts);
  }
  if (table->weights.gate_up.size() == 1 && halves) {
    const std::int64_t width = table->gate.front().weights.rows / 2;
    table->gate = rows_of_each(std::move(table->gate), 0, width);
    table->up = rows_of_each(std::move(table->up), width, 2 * width);
  }
  table->down = bind(table->weights.down, experts);
  return table;
}

}  // namespace convergio::kernels
