// The primitives and kernels of one greedy token on a GPU, from the graph that the engine makes:
//   count_primitives FOLDER DTYPE
// or of sampling alone, with 1 or 0 for penalties, bias and our own kernels, and -1 for no
// log-probabilities:
//   count_primitives VOCAB temperature top_k top_p min_p penalties bias logprobs kernels
// Prints a line "name primitives kernels" for each primitive and one for all together, "token".
//
// MLX's fused operations count as one each (fast_doubles.cpp). A kernel is a dispatch that MLX's
// Metal backend makes: views make none; a sort of more than 2048 numbers makes one, two for each
// merge and one that copies; the reduction of more than 4096 numbers to one makes two; a
// concatenation one for each part. Buffers are taken as donated, and attention as one kernel, as it
// is over fewer than 1024 keys.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/device_sampler.h"
#include "engine/sampling_kernels.h"
#include "kernels/cpu/isa.h"
#include "mlx/array.h"
#include "mlx/device.h"
#include "mlx/ops.h"
#include "mlx/primitives.h"
#include "mlx/transforms.h"
#include "model/forward.h"

namespace {

using namespace convergio;
namespace mx = mlx::core;

struct Count {
  int primitives = 0;
  int kernels = 0;
};

const std::set<std::string> kViews{
    "AsStrided", "Broadcast", "BroadcastAxes", "Copy",         "ExpandDims", "Flatten",   "Reshape",
    "Slice",     "Split",     "Squeeze",       "StopGradient", "Transpose",  "Unflatten", "View"};
const std::set<std::string> kReductions{"And", "Or", "Sum", "Prod", "Min", "Max"};
const std::set<std::string> kSorts{"Sort", "ArgSort", "Partition", "ArgPartition"};

int kernels_of(const mx::array& a) {
  const std::string name = a.primitive().name();
  if (kViews.contains(name)) {
    return 0;
  }
  if (name == "Concatenate") {
    return static_cast<int>(a.inputs().size());
  }
  if (kSorts.contains(name)) {
    int merges = 0;
    for (int blocks = (a.inputs()[0].shape(-1) + 2047) / 2048; blocks > 1;
         blocks = (blocks + 1) / 2) {
      ++merges;
    }
    return merges == 0 ? 1 : 2 + 2 * merges;
  }
  const bool to_one = a.size() == 1 && a.inputs()[0].size() > 4096;
  return kReductions.contains(name) && to_one ? 2 : 1;
}

using Graph = std::vector<mx::array>;

/// What `graph` has and `before` does not: that is the model's, or was made for an earlier token.
std::map<std::string, Count> counts_of(const Graph& graph, const Graph& before) {
  std::map<std::string, Count> counts;
  std::set<std::uintptr_t> seen;
  const auto each = [&seen](Graph open, const auto& take) {
    while (!open.empty()) {
      const mx::array a = open.back();
      open.pop_back();
      if (a.has_primitive() && seen.insert(a.primitive_id()).second) {
        take(a);
        open.insert(open.end(), a.inputs().begin(), a.inputs().end());
      }
    }
  };
  each(before, [](const mx::array&) {});
  each(graph, [&counts](const mx::array& a) {
    Count& count = counts[a.primitive().name()];
    ++count.primitives;
    count.kernels += kernels_of(a);
  });
  return counts;
}

void print(const Graph& before, const Graph& graph) {
  Count all;
  for (const auto& [name, count] : counts_of(graph, before)) {
    std::printf("%s %d %d\n", name.c_str(), count.primitives, count.kernels);
    all.primitives += count.primitives;
    all.kernels += count.kernels;
  }
  std::printf("token %d %d\n", all.primitives, all.kernels);
}

Graph graph_of(engine::DeviceSampler& sampler, const mx::array& logits) {
  const engine::DeviceSample chosen = sampler.sample(logits, 0);
  Graph graph{chosen.token, chosen.check};
  if (const auto& report = chosen.logprobs) {
    graph.insert(graph.end(), {report->norm, report->logit, report->top, report->top_logits});
  }
  return graph;
}

void print_token(const char* folder) {
  const auto model = model::Model::load(folder);
  engine::SamplingParams greedy;
  greedy.temperature = 0.0;
  engine::DeviceSampler sampler(greedy);
  const auto token = [&] {
    model::Cache cache = model->make_cache(16);
    cache.reserve(16);
    return graph_of(sampler, model->logits(model->forward(mx::array({1}, mx::int32), cache)));
  };
  const Graph first = token();
  print(first, token());
}

/// temperature top_k top_p min_p penalties bias logprobs kernels
void print_sampler(int vocab, char** given) {
  engine::SamplingParams params;
  params.temperature = std::atof(given[0]);
  params.top_k = std::atoi(given[1]);
  params.top_p = std::atof(given[2]);
  params.min_p = std::atof(given[3]);
  params.repetition_penalty = std::atoi(given[4]) != 0 ? 1.2 : 1.0;
  if (std::atoi(given[5]) != 0) {
    params.logit_bias = {{1, 1.0}};
  }
  if (std::atoi(given[6]) >= 0) {
    params.logprobs = std::atoi(given[6]);
  }
  engine::force_trial(engine::KernelTrial{.passed = std::atoi(given[7]) != 0, .fault = {}});
  engine::DeviceSampler sampler(params);
  sampler.begin({}, {}, vocab);
  mx::array logits = mx::zeros({1, vocab}, mx::bfloat16);
  mx::eval(logits);
  const Graph first = graph_of(sampler, logits);
  print(first, graph_of(sampler, logits));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 10) {
    std::fprintf(stderr, "count_primitives FOLDER DTYPE | VOCAB sampling options\n");
    return 1;
  }
  mx::set_default_device(mx::Device::cpu);
  kernels::force_isa(kernels::Isa::Off);
  if (argc == 10) {
    print_sampler(std::atoi(argv[1]), argv + 2);
    return 0;
  }
  setenv("CONVERGIO_MLX_DTYPE", argv[2], 1);  // on a GPU, the checkpoint's
  print_token(argv[1]);
}
