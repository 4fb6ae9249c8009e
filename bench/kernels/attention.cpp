// How near to the memory's speed a decode step's attention reads keys and values: GB/s of one
// position over a cache of float16, for the heads of some models, beside the read bandwidth of the
// same threads measured in turn with it. Each round goes over the caches of all layers, so that
// none is still in the processor. Medians of interleaved rounds.
//   attention [rounds]

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "common.h"
#include "kernels/ops/attention.h"
#include "mlx/transforms.h"

namespace {

using namespace convergio::kernels;
using namespace convergio::kernels::bench;
namespace mx = mlx::core;

struct Heads {
  int queries;
  int kv;
  int dim;
};

constexpr int kLayers = 16;

void measure(const Heads& heads, int context, int rounds) {
  std::vector<mx::array> caches;
  for (std::uint64_t i = 0; i < 2 * kLayers; ++i) {
    caches.push_back(noise({1, heads.kv, context, heads.dim}, mx::float16, i));
  }
  const mx::array q = noise({1, heads.queries, 1, heads.dim}, mx::float32, 99);
  std::vector<double> times;
  std::vector<double> reads;
  for (int round = 0; round < rounds; ++round) {
    double time = 0.0;
    double read = 0.0;
    for (std::size_t i = 0; i < caches.size(); i += 2) {
      const mx::array out = attention(q, caches[i], caches[i + 1], {.scale = 0.125F});
      time += seconds([&] { mx::eval(out); });
    }
    for (const mx::array& cache : caches) {
      read += seconds([&] { read_all(cache.data<void>(), cache.nbytes()); });
    }
    times.push_back(time);
    reads.push_back(read);
  }
  const double bytes = 2.0 * kLayers * static_cast<double>(caches[0].nbytes());
  std::printf("%3d/%-2d heads of %3d, %6d keys: %7.1f us, %5.1f GB/s of %5.1f, %3.0f %%\n",
              heads.queries, heads.kv, heads.dim, context, 1e6 * median(times) / kLayers,
              bytes / median(times) / 1e9, bytes / median(reads) / 1e9,
              100.0 * median(reads) / median(times));
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 9;
  mx::set_default_device(mx::Device::cpu);
  for (const Heads& heads : {Heads{32, 8, 64}, {12, 2, 128}, {24, 8, 128}, {8, 8, 128}}) {
    for (const int context : {512, 4096, 16384}) {
      measure(heads, context, rounds);
    }
  }
}
