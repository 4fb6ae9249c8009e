#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/bodies/kernel_set.h"
#include "kernels/mlx/operand.h"
#include "kernels/ops/expert_table.h"
#include "kernels/ops/product.h"
#include "kernels/ops/route.h"

namespace convergio::kernels {

/// What cpu_op runs for a mixture of experts: rows are grouped by expert, so that each expert's
/// matrices are read once and those of the others never. A row's numbers do not depend on the rows
/// beside it: its experts are added in its own order.
class ExpertsKernel {
 public:
  /// With `adds` the result is added to a third input.
  ExpertsKernel(std::shared_ptr<const ExpertTable> table, const formats::Experts& config,
                Activation activation, bool adds);

  /// Inputs are x (n, hidden), the router's logits (n, experts), and what is added to.
  void bind(const std::vector<mx::array>& inputs, mx::array& out);
  void run();

 private:
  /// The rows that go to one expert: places [first, first + n) of those sorted by expert.
  struct Group {
    int expert;
    std::int64_t first;
    std::int64_t n;
  };
  /// One projection of every expert, from rows that lie sorted by expert.
  struct Stage {
    const std::vector<BoundLinear>* matrices;
    const std::vector<BoundLinear>* others;  ///< the up projections beside gates; null: none
    const float* in;                         ///< rows of `in_stride`
    std::int64_t in_stride;
    bool scattered;      ///< place i is row rows_[i] of `in`, not row i
    float* out;          ///< a row for each place
    std::int64_t width;  ///< of those; half a matrix's outputs where these are gate and up in turns
    bool activated = false;  ///< without a gate
  };

  void route(const Rows& logits, std::int64_t from, std::int64_t n);
  void group(std::int64_t n);
  void run_stage(const Stage& stage);
  void prepack(const Stage& stage, const Weights& layout);
  const float* input(const Stage& stage, std::int64_t place, std::int64_t cols) const;
  void compute(const Stage& stage, const Group& group, std::int64_t begin, std::int64_t end,
               std::int64_t size) const;
  void combine(std::int64_t from, std::int64_t n) const;

  const KernelSet& set_;
  std::shared_ptr<const ExpertTable> table_;
  formats::Experts config_;
  Activation activation_;
  bool adds_;

  RowsOperand x_, logits_, addend_;
  Rows added_{};
  float* y_ = nullptr;
  std::int64_t hidden_width_ = 0;  ///< of x and of the result
  std::int64_t row_floats_ = 0;    ///< of a prepacked row of any stage
  std::vector<float> route_work_;
  std::vector<Choice> choices_;       ///< of each row, one after another
  std::vector<std::int64_t> places_;  ///< of each choice, among those sorted by expert
  std::vector<std::int64_t> rows_;    ///< of each place, the row it is of
  std::vector<float> weights_;        ///< and its weight
  std::vector<std::int64_t> starts_;  ///< of each expert's places
  std::vector<Group> groups_;
  std::shared_ptr<float[]> prepacked_, hidden_, outputs_;  ///< rows by place
};

}  // namespace convergio::kernels
