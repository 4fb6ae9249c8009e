// How near to the memory's speed a decode step's matrices are read: GB/s of linear over one row,
// for each format, on each instruction set with float32 activations and on the fastest as it runs
// by default, beside the read bandwidth of the same threads measured in turn with them. Medians of
// interleaved rounds.
//   gemv [rounds]

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cores.h"
#include "kernels/isa.h"
#include "kernels/linear.h"
#include "kernels/pool.h"
#include "kernels/precision.h"
#include "mlx/ops.h"
#include "mlx/random.h"
#include "mlx/transforms.h"

namespace {

using namespace convergio::kernels;

struct Case {
  Format format;
  int group;
  int bits;
};

constexpr int kRows = 8192;
constexpr int kCols = 2048;
constexpr int kCopies = 24;  // together larger than any cache

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

mx::array noise(mx::Shape shape, mx::Dtype dtype, std::uint64_t seed) {
  mx::array a =
      dtype == mx::uint32
          ? mx::random::bits(shape, mx::random::key(seed))
          : mx::astype(mx::random::uniform(0.01F, 0.02F, shape, mx::float32, mx::random::key(seed)),
                       dtype);
  mx::eval(a);
  return a;
}

Matrix matrix(const Case& c, std::uint64_t seed) {
  Matrix m{.data = noise({kRows, kCols * c.bits / 32}, mx::uint32, seed),
           .scales = std::nullopt,
           .biases = std::nullopt,
           .format = c.format,
           .group_size = c.group,
           .bits = c.bits,
           .rows = kRows,
           .cols = kCols};
  const mx::Shape groups{kRows, kCols / c.group};
  if (c.format == Format::Affine) {
    m.scales = noise(groups, mx::bfloat16, seed + 1);
    m.biases = noise(groups, mx::bfloat16, seed + 2);
  } else {
    m.scales = mx::full(groups, 100, mx::uint8);
    mx::eval(*m.scales);
  }
  return m;
}

double bytes_of(const Matrix& m) {
  double bytes = static_cast<double>(m.data.nbytes());
  bytes += m.scales ? static_cast<double>(m.scales->nbytes()) : 0.0;
  bytes += m.biases ? static_cast<double>(m.biases->nbytes()) : 0.0;
  return bytes;
}

struct Way {
  std::string name;
  Isa isa;
  bool exact;
};

/// Scalar code is left out: it is there to be right.
std::vector<Way> all_ways() {
  std::vector<Way> ways;
  for (const Isa isa : available_isas()) {
    if (isa != Isa::Scalar) {
      ways.push_back({std::string(isa_name(isa)), isa, true});
    }
  }
  ways.push_back({"default", available_isas().back(), false});
  return ways;
}

/// Reads everything once with the pool's threads: the bandwidth there is.
void read_all(const std::vector<Matrix>& matrices) {
  static volatile std::uint64_t sink = 0;
  for (const Matrix& m : matrices) {
    const auto* words = m.data.data<std::uint64_t>();
    const auto count = static_cast<std::int64_t>(m.data.nbytes() / sizeof(std::uint64_t));
    parallel_ranges(count, 64, 8192, [&](std::int64_t begin, std::int64_t end) {
      std::uint64_t s[8] = {};
      for (std::int64_t i = begin; i + 8 <= end; i += 8) {
        for (int j = 0; j < 8; ++j) {
          s[j] ^= words[i + j];
        }
      }
      sink = sink + (s[0] ^ s[1] ^ s[2] ^ s[3] ^ s[4] ^ s[5] ^ s[6] ^ s[7]);
    });
  }
}

void run(const Case& c, int rounds) {
  std::vector<Matrix> matrices;
  double bytes = 0.0;
  double data_bytes = 0.0;
  for (int i = 0; i < kCopies; ++i) {
    matrices.push_back(matrix(c, static_cast<std::uint64_t>(3 * i)));
    bytes += bytes_of(matrices.back());
    data_bytes += static_cast<double>(matrices.back().data.nbytes());
  }
  const mx::array x = noise({1, kCols}, mx::float32, 5);
  const std::vector<Way> ways = all_ways();
  std::vector<double> reads;
  std::vector<std::vector<double>> times(ways.size());
  for (int round = 0; round < rounds; ++round) {
    reads.push_back(seconds([&] { read_all(matrices); }));
    for (std::size_t i = 0; i < ways.size(); ++i) {
      force_isa(ways[i].isa);
      force_exact(ways[i].exact);
      times[i].push_back(seconds([&] {
        std::vector<mx::array> ys;
        for (const Matrix& m : matrices) {
          ys.push_back(linear(x, m, std::nullopt));
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
  for (const Case& c :
       {Case{Format::Affine, 64, 4}, Case{Format::Affine, 32, 4}, Case{Format::Affine, 64, 2},
        Case{Format::Affine, 64, 3}, Case{Format::Affine, 64, 5}, Case{Format::Affine, 64, 6},
        Case{Format::Affine, 64, 8}, Case{Format::Mxfp4, 32, 4}, Case{Format::Mxfp8, 32, 8},
        Case{Format::Nvfp4, 16, 4}}) {
    run(c, rounds);
  }
}
