// What a pass of a few rows costs in passes of one: linear over 1 to 16 rows of x, for each format,
// on each instruction set with float32 activations and on the fastest as it runs by default.
// Medians of interleaved rounds. One copy of the matrix stays in the caches, many come from memory.
//   few_rows [rounds] [copies] [outputs] [inputs]

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "common.h"
#include "kernels/ops/linear.h"
#include "mlx/transforms.h"

namespace {

using namespace convergio::kernels;
using namespace convergio::kernels::bench;

struct Shape {
  int outputs;
  int inputs;
  int copies;
};

void run(const Case& c, const Shape& shape, int rounds) {
  constexpr int kPasses[] = {1, 2, 3, 4, 6, 8, 12, 16};
  std::vector<Matrix> matrices;
  for (int i = 0; i < shape.copies; ++i) {
    matrices.push_back(matrix(c, shape.outputs, shape.inputs, static_cast<std::uint64_t>(3 * i)));
  }
  std::printf("%-7s %d bits, group %3d\n", mode_name(c.format).c_str(), c.bits, c.group);
  for (const Way& way : all_ways()) {
    choose(way);
    std::vector<std::vector<double>> times(std::size(kPasses));
    for (int round = 0; round <= rounds; ++round) {
      for (std::size_t i = 0; i < std::size(kPasses); ++i) {
        const mx::array x = noise({kPasses[i], shape.inputs}, mx::float32, 5);
        const double time = seconds([&] {
          std::vector<mx::array> ys;
          for (const Matrix& m : matrices) {
            ys.push_back(linear(x, {m, std::nullopt}));
          }
          mx::eval(ys);
        });
        if (round > 0) {  // the first only fills the caches
          times[i].push_back(time);
        }
      }
    }
    const double one = median(times[0]);
    std::printf("  %-7s %8.1f us", way.name.c_str(), 1e6 * one / shape.copies);
    for (std::size_t i = 1; i < std::size(kPasses); ++i) {
      std::printf("   %d: %5.2f", kPasses[i], median(times[i]) / one);
    }
    std::printf("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::max(1, std::atoi(argv[i])) : otherwise;
  };
  const int rounds = number(1, 15);
  const Shape shape{.outputs = number(3, 1024), .inputs = number(4, 2048), .copies = number(2, 1)};
  std::printf("%d threads, %d matrices of %d x %d; a pass of n rows in passes of one\n",
              thread_count(), shape.copies, shape.outputs, shape.inputs);
  for (const Case& c : all_cases()) {
    run(c, shape, rounds);
  }
}
