// Operations a second of linear over many rows, for each format, on each instruction set with
// float32 activations and on the fastest as it runs by default. Medians of interleaved rounds.
//   matmul [rows] [rounds]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "common.h"
#include "kernels/ops/linear.h"
#include "mlx/transforms.h"

int main(int argc, char** argv) {
  using namespace convergio::kernels;
  constexpr int kRows = 2048;
  constexpr int kCols = 2048;
  const int n = argc > 1 ? std::max(1, std::atoi(argv[1])) : 512;
  const int rounds = argc > 2 ? std::max(1, std::atoi(argv[2])) : 7;
  std::printf("%d threads, %d rows by a matrix of %d x %d\n", thread_count(), n, kRows, kCols);
  for (const bench::Case& c : bench::all_cases()) {
    const Matrix m = bench::matrix(c, kRows, kCols, 3);
    const mx::array x = bench::noise({n, kCols}, mx::float32, 5);
    const std::vector<bench::Way> ways = bench::all_ways();
    std::vector<std::vector<double>> times(ways.size());
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t i = 0; i < ways.size(); ++i) {
        bench::choose(ways[i]);
        times[i].push_back(bench::seconds([&] { mx::eval(linear(x, {m, std::nullopt})); }));
      }
    }
    std::printf("%-7s %d bits, group %3d:", mode_name(c.format).c_str(), c.bits, c.group);
    for (std::size_t i = 0; i < ways.size(); ++i) {
      std::printf("   %s %6.1f Gop/s", ways[i].name.c_str(),
                  2.0 * n * kRows * kCols / bench::median(times[i]) / 1e9);
    }
    std::printf("\n");
  }
}
