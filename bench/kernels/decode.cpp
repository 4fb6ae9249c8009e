// A model's decode step and prefill without Python: tokens a second, the share of the read
// bandwidth that the same threads reach over the same mapped files, the primitives that a layer
// would take in a graph. Medians; bandwidth is measured in turn with the tokens.
//   decode FOLDER [context] [tokens] [chunk]

#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common.h"
#include "io/mmap.h"
#include "kernels/mlx/primitive.h"
#include "kernels/mlx/view.h"
#include "kernels/ops/take_rows.h"
#include "mlx/memory.h"
#include "mlx/primitives.h"
#include "model/forward.h"

namespace {

using namespace convergio;
using namespace convergio::kernels::bench;
namespace mx = mlx::core;
using kernels::thread_count;

/// The primitives of an unevaluated graph by name.
std::map<std::string, int> primitives(const mx::array& root) {
  std::map<std::string, int> counts;
  std::set<std::uintptr_t> seen;
  std::vector<mx::array> open{root};
  while (!open.empty()) {
    const mx::array a = open.back();
    open.pop_back();
    if (!a.has_primitive() || !seen.insert(a.primitive_id()).second) {
      continue;
    }
    ++counts[a.primitive().name()];
    open.insert(open.end(), a.inputs().begin(), a.inputs().end());
  }
  return counts;
}

mx::array ids_of(int n) {
  std::vector<int> ids(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    ids[static_cast<std::size_t>(i)] = 100 + i * 7919 % 1000;
  }
  return mx::array(ids.data(), {n}, mx::int32);
}

double megabytes(std::size_t bytes) { return static_cast<double>(bytes) / 1e6; }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "decode FOLDER [context] [tokens] [chunk]\n");
    return 1;
  }
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::max(1, std::atoi(argv[i])) : otherwise;
  };
  std::vector<io::MappedFile> files;
  double bytes = 0.0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    if (entry.path().extension() == ".safetensors") {
      bytes += static_cast<double>(files.emplace_back(entry.path()).size());
    }
  }
  const int context = number(2, 16);
  const int tokens = number(3, 32);
  const int chunk = number(4, 256);  // as the engine does
  mx::set_default_device(mx::Device::cpu);
  const auto model = model::Model::load(argv[1]);
  model::Cache cache = model->make_cache(context + tokens + 1);
  cache.reserve(context + tokens + 1);
  // the graph of one token, to count its primitives; the others are computed as the engine does
  mx::array counted = model->logits(model->forward(ids_of(1), cache));
  const std::map<std::string, int> counts = primitives(counted);
  mx::eval(counted);
  const kernels::Eager eager;
  const double prefill = seconds([&] {
    for (int done = 0; done < context; done += chunk) {
      const int n = std::min(chunk, context - done);
      const mx::array x = model->forward(ids_of(n), cache, [] {});
      mx::eval(model->logits(kernels::take_rows(x, {x.shape(0) - 1})));
    }
  });
  std::vector<double> steps;
  std::vector<double> reads;
  for (int i = 0; i < tokens; ++i) {
    steps.push_back(seconds([&] { mx::eval(model->logits(model->forward(ids_of(1), cache))); }));
    if (i % 8 == 0) {
      reads.push_back(seconds([&] {
        for (const io::MappedFile& file : files) {
          read_all(file.data(), file.size());
        }
      }));
    }
  }
  const double kv = static_cast<double>(model->kv_bytes_per_token()) * (context + tokens / 2);
  const double bandwidth = bytes / median(reads);
  const double step = median(steps);
  int all = 0;
  for (const auto& [name, count] : counts) {
    all += count;
    std::printf("  %4d %s\n", count, name.c_str());
  }
  const int layers = cache.layer_count();
  std::printf("%d threads, %d primitives a token, %.1f a layer\n", thread_count(), all,
              static_cast<double>(all) / layers);
  std::printf("prefill of %d: %.1f tok/s\n", context, context / prefill);
  std::printf(
      "decode after %d: %.2f tok/s, %.1f GB/s of weights and cache; read bandwidth %.1f "
      "GB/s (%.0f %%)\n",
      context, 1.0 / step, (bytes + kv) / step / 1e9, bandwidth / 1e9,
      100.0 * (bytes + kv) / step / bandwidth);
  struct rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#if defined(__APPLE__)
  constexpr double kUnit = 1;
#else
  constexpr double kUnit = 1024;
#endif
  const double resident = kUnit * static_cast<double>(usage.ru_maxrss);
  // the files are mapped twice: by the model, and to measure the bandwidth
  const double beside = resident - 2 * bytes - static_cast<double>(cache.bytes());
  std::printf(
      "MLX: %.0f MB at most; cache %.0f MB; resident beside files and cache: %.0f MB at most\n",
      megabytes(mx::get_peak_memory()), megabytes(cache.bytes()), beside / 1e6);
}
