// How near to the memory's speed a decode step's matrices are read: GB/s of linear over one row,
// for each format, on each instruction set with float32 activations and on the fastest as it runs
// by default, beside the read bandwidth of the same threads measured in turn with them. Medians of
// interleaved rounds.
//   gemv [rounds]

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

constexpr int kRows = 8192;
constexpr int kCols = 2048;
constexpr int kCopies = 24;  // together larger than any cache

double bytes_of(const Matrix& m) {
  double bytes = static_cast<double>(m.data.nbytes());
  bytes += m.scales ? static_cast<double>(m.scales->nbytes()) : 0.0;
  bytes += m.biases ? static_cast<double>(m.biases->nbytes()) : 0.0;
  return bytes;
}

void run(const Case& c, int rounds) {
  std::vector<Matrix> matrices;
  double bytes = 0.0;
  double data_bytes = 0.0;
  for (int i = 0; i < kCopies; ++i) {
    matrices.push_back(matrix(c, kRows, kCols, static_cast<std::uint64_t>(3 * i)));
    bytes += bytes_of(matrices.back());
    data_bytes += static_cast<double>(matrices.back().data.nbytes());
  }
  const mx::array x = noise({1, kCols}, mx::float32, 5);
  const std::vector<Way> ways = all_ways();
  std::vector<double> reads;
  std::vector<std::vector<double>> times(ways.size());
  for (int round = 0; round < rounds; ++round) {
    reads.push_back(seconds([&] {
      for (const Matrix& m : matrices) {
        read_all(m.data.data<void>(), m.data.nbytes());
      }
    }));
    for (std::size_t i = 0; i < ways.size(); ++i) {
      choose(ways[i]);
      times[i].push_back(seconds([&] {
        std::vector<mx::array> ys;
        for (const Matrix& m : matrices) {
          ys.push_back(linear(x, {m, std::nullopt}));
        }
        mx::eval(ys);
      }));
    }
  }
  const double read = data_bytes / median(reads) / 1e9;
  std::printf("%-7s %d bits, group %3d: read %5.1f GB/s", mode_name(c.format).c_str(), c.bits,
              c.group, read);
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const double speed = bytes / median(times[i]) / 1e9;
    std::printf("   %s %5.1f (%3.0f %%)", ways[i].name.c_str(), speed, 100.0 * speed / read);
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 15;
  std::printf("%d threads, %d matrices of %d x %d\n", thread_count(), kCopies, kRows, kCols);
  for (const Case& c : all_cases()) {
    run(c, rounds);
  }
}
