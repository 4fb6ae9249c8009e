#include "kernels/ops/rope.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "kernels/bodies/kernel_set.h"
#include "kernels/cpu/pool.h"
#include "kernels/mlx/fast.h"
#include "kernels/mlx/operand.h"
#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "mlx/ops.h"

namespace convergio::kernels {

namespace {

mx::array mlx_rope(const mx::array& x, const mx::array& periods, float magnitude, int offset,
                   bool interleaved) {
  const int head_dim = x.shape(3);
  const int dims = 2 * periods.shape(0);
  const mx::array y = fast_rope(x, dims, interleaved, offset, periods);
  if (magnitude == 1.0F) {
    return y;
  }
  const mx::array rotated = mx::multiply(part_of_rows(y, 0, dims), mx::array(magnitude, y.dtype()));
  return dims == head_dim ? rotated
                          : mx::concatenate({rotated, part_of_rows(y, dims, head_dim)}, 3);
}

mx::array mlx_rope(const mx::array& x, const std::vector<RotatedRows>& parts, bool interleaved) {
  std::vector<mx::array> rotated;
  int from = 0;
  for (const RotatedRows& part : parts) {
    rotated.push_back(mlx_rope(rows_between(x, from, from + part.rows), part.periods,
                               part.magnitude, part.offset, interleaved));
    from += part.rows;
  }
  return rotated.size() == 1 ? rotated[0] : mx::concatenate(rotated, 2);
}

/// The angles of one position, as cosines and sines of `half` dimensions.
void angles(std::int64_t position, const float* periods, std::int64_t half, float magnitude,
            float* cosines, float* sines) {
  for (std::int64_t i = 0; i < half; ++i) {
    // rounded where the models' own code rounds: the frequency, then the angle
    const float angle = static_cast<float>(position) * (1.0F / periods[i]);
    cosines[i] = magnitude * std::cos(angle);
    sines[i] = magnitude * std::sin(angle);
  }
}

/// What cpu_op runs.
class RopeKernel {
 public:
  RopeKernel(const KernelSet& set, const std::vector<RotatedRows>& parts, bool interleaved)
      : rotate_(interleaved ? set.rope_pairs : set.rope) {
    for (const RotatedRows& part : parts) {
      parts_.push_back({part.rows, part.offset, part.magnitude, {}});
    }
  }

  /// Inputs are x and the periods of each part.
  void bind(const std::vector<mx::array>& in, mx::array& out) {
    donate(in[0], out);
    x_ = RowsOperand(in[0]);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      parts_[i].periods = RowsOperand(in[i + 1]);
    }
    y_ = out.data<float>();
  }

  void run() {
    const Rows x = x_.read();
    const std::int64_t grain = 4096 / (x.heads * x.width) + 1;
    std::int64_t from = 0;
    for (Part& part : parts_) {
      const Rows periods = part.periods.read();
      parallel_ranges(part.rows, 1, grain, [&](std::int64_t begin, std::int64_t end) {
        rotate(x, from, part, periods, begin, end);
      });
      from += part.rows;
    }
  }

 private:
  struct Part {
    std::int64_t rows;
    std::int64_t offset;
    float magnitude;
    RowsOperand periods;
  };

  /// Rows [begin, end) of a part, whose first is row `from` of x.
  void rotate(const Rows& x, std::int64_t from, const Part& part, const Rows& periods,
              std::int64_t begin, std::int64_t end) const {
    const std::int64_t half = periods.width;
    auto* cosines =
        static_cast<float*>(scratch(2 * half * static_cast<std::int64_t>(sizeof(float))));
    float* sines = cosines + half;
    for (std::int64_t i = begin; i < end; ++i) {
      angles(part.offset + i, periods.data, half, part.magnitude, cosines, sines);
      for (std::int64_t h = 0; h < x.heads; ++h) {
        rotate_(x.data + (from + i) * x.row + h * x.head, cosines, sines, half, x.width,
                y_ + (h * x.n + from + i) * x.width);
      }
    }
  }

  decltype(KernelSet::rope) rotate_;
  std::vector<Part> parts_;
  RowsOperand x_;
  float* y_ = nullptr;
};

}  // namespace

mx::array rope(const mx::array& x, const std::vector<RotatedRows>& parts, bool interleaved) {
  const bool floats = std::ranges::all_of(
      parts, [](const RotatedRows& part) { return part.periods.dtype() == mx::float32; });
  if (!own_kernels(x) || x.ndim() != 4 || !floats) {
    return mlx_rope(x, parts, interleaved);
  }
  std::vector<mx::array> inputs{x};
  for (const RotatedRows& part : parts) {
    inputs.push_back(part.periods);
  }
  return cpu_op("rope", x.shape(), mx::float32, std::move(inputs),
                RopeKernel(kernel_set(active_isa()), parts, interleaved));
}

mx::array rope(const mx::array& x, const mx::array& periods, float magnitude, int offset,
               bool interleaved) {
  return rope(x, {{x.shape(2), offset, periods, magnitude}}, interleaved);
}

}  // namespace convergio::kernels
