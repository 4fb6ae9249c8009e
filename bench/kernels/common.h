// What the kernel benchmarks share: random matrices, the ways to run an op, the speed of memory,
// medians.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cpu/cores.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/pool.h"
#include "kernels/cpu/precision.h"
#include "kernels/ops/matrix.h"
#include "mlx/ops.h"
#include "mlx/random.h"
#include "mlx/transforms.h"

namespace convergio::kernels::bench {

struct Case {
  Format format;
  int group;
  int bits;
};

inline std::vector<Case> all_cases() {
  return {{Format::Affine, 64, 4}, {Format::Affine, 32, 4}, {Format::Affine, 64, 2},
          {Format::Affine, 64, 3}, {Format::Affine, 64, 5}, {Format::Affine, 64, 6},
          {Format::Affine, 64, 8}, {Format::Mxfp4, 32, 4},  {Format::Mxfp8, 32, 8},
          {Format::Nvfp4, 16, 4}};
}

inline double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

/// Reads memory once with the pool's threads, as fast as the machine can be made to: asking a page
/// ahead, for the second-level cache, which has more requests open than the first.
inline void read_all(const void* data, std::size_t bytes) {
  static volatile std::uint64_t sink = 0;
  constexpr std::int64_t kAhead = 4096;
  parallel_ranges(static_cast<std::int64_t>(bytes / 64), 1, 2048,
                  [&](std::int64_t begin, std::int64_t end) {
                    std::uint64_t sums[8] = {};
                    for (std::int64_t line = begin; line < end; ++line) {
                      const auto* p = static_cast<const std::uint8_t*>(data) + line * 64;
                      __builtin_prefetch(p + kAhead, 0, 2);
                      std::uint64_t words[8];
                      std::memcpy(words, p, sizeof(words));
                      for (int j = 0; j < 8; ++j) {
                        sums[j] ^= words[j];
                      }
                    }
                    std::uint64_t all = 0;
                    for (const std::uint64_t s : sums) {
                      all ^= s;
                    }
                    sink = sink + all;
                  });
}

inline mx::array noise(const mx::Shape& shape, mx::Dtype dtype, std::uint64_t seed) {
  const mx::array key = mx::random::key(seed);
  mx::array a = dtype == mx::uint32
                    ? mx::random::bits(shape, key)
                    : mx::astype(mx::random::uniform(0.01F, 0.02F, shape, mx::float32, key), dtype);
  mx::eval(a);
  return a;
}

/// Random packed numbers with scales that keep results in range.
inline Matrix matrix(const Case& c, int rows, int cols, std::uint64_t seed) {
  Matrix m{.data = noise({rows, cols * c.bits / 32}, mx::uint32, seed),
           .scales = std::nullopt,
           .biases = std::nullopt,
           .format = c.format,
           .group_size = c.group,
           .bits = c.bits,
           .rows = rows,
           .cols = cols};
  const mx::Shape groups{rows, cols / c.group};
  if (c.format == Format::Affine) {
    m.scales = noise(groups, mx::bfloat16, seed + 1);
    m.biases = noise(groups, mx::bfloat16, seed + 2);
  } else {
    m.scales = mx::full(groups, 100, mx::uint8);
    mx::eval(*m.scales);
  }
  return m;
}

struct Way {
  std::string name;
  Isa isa;
  bool exact;
};

/// Scalar code is left out: it is there to be right.
inline std::vector<Way> all_ways() {
  std::vector<Way> ways;
  for (const Isa isa : available_isas()) {
    if (isa != Isa::Scalar) {
      ways.push_back({std::string(isa_name(isa)), isa, true});
    }
  }
  ways.push_back({"default", available_isas().back(), false});
  return ways;
}

inline void choose(const Way& way) {
  force_isa(way.isa);
  force_exact(way.exact);
}

}  // namespace convergio::kernels::bench
