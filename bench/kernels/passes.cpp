// What a pass of several sequences, a row each, costs in passes of one: a whole model without
// Python, logits included. Medians of interleaved rounds.
//   passes FOLDER [context] [rounds] [most rows]

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <span>
#include <vector>

#include "common.h"
#include "kernels/mlx/primitive.h"
#include "mlx/device.h"
#include "mlx/transforms.h"
#include "model/forward.h"

namespace {

using namespace convergio;
using namespace convergio::kernels::bench;
namespace mx = mlx::core;

mx::array ids_of(int count, int seed) {
  std::vector<int> ids(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    ids[static_cast<std::size_t>(i)] = 100 + (i + seed) * 7919 % 1000;
  }
  return mx::array(ids.data(), {count}, mx::int32);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "passes FOLDER [context] [rounds] [most rows]\n");
    return 1;
  }
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::max(1, std::atoi(argv[i])) : otherwise;
  };
  constexpr int kRows[] = {1, 2, 3, 4, 6, 8, 12, 16};
  const int context = number(2, 128);
  const int rounds = number(3, 9);
  const int most = number(4, 16);
  mx::set_default_device(mx::Device::cpu);
  const auto model = model::Model::load(argv[1]);
  const kernels::Eager eager;
  std::vector<model::Cache> caches;
  for (int i = 0; i < most; ++i) {
    model::Cache& cache = caches.emplace_back(model->make_cache(context + rounds * 8 + 8));
    mx::eval(model->forward(ids_of(context, i), cache));
  }
  std::vector<std::vector<double>> times(std::size(kRows));
  for (int round = 0; round <= rounds; ++round) {
    for (std::size_t i = 0; i < std::size(kRows) && kRows[i] <= most; ++i) {
      std::vector<model::Segment> segments;
      for (int row = 0; row < kRows[i]; ++row) {
        segments.push_back({&caches[static_cast<std::size_t>(row)], 1});
      }
      const double time = seconds(
          [&] { mx::eval(model->logits(model->forward(ids_of(kRows[i], round), segments))); });
      if (round > 0) {  // the first only fills the caches
        times[i].push_back(time);
      }
    }
  }
  const double one = median(times[0]);
  std::printf("%d threads, %d tokens of context: a pass of one row %.2f ms; of n in those of one\n",
              kernels::thread_count(), context, 1e3 * one);
  for (std::size_t i = 1; i < std::size(kRows) && kRows[i] <= most; ++i) {
    std::printf("   %d: %5.2f", kRows[i], median(times[i]) / one);
  }
  std::printf("\n");
}
