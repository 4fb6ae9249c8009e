#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "engine/generation.h"
#include "engine/memory.h"
#include "engine/request.h"
#include "engine/worker.h"
#include "model/forward.h"

namespace convergio::engine {

/// The process's one worker, started at its first use. Throws Error.
Worker& worker();

/// Of the worker, zeros where none was started.
Worker::Stats queue_stats();

/// Ends the worker; requests that wait or run fail. For the end of the program.
void shutdown();

/// "metal", "cuda" or "cpu": where MLX computes. Throws Error where the environment asks for what
/// this machine lacks.
std::string backend();

/// Tokens of a prompt that are best run at once there, by a model with experts or without.
int prefill_chunk(bool experts);

/// What MLX tells of the GPU it computes on, by MLX's own names; empty on a CPU.
std::unordered_map<std::string, std::variant<std::string, std::size_t>> gpu();

/// "used" where our own kernels draw tokens on the GPU, else why they do not.
std::string gpu_kernels();

/// A model that is to be loaded: its folder, and its config.json where that has been parsed.
struct ModelSource {
  std::filesystem::path folder;
  std::optional<arch::Config> config;
};

/// Loads on the worker, where it is freed too; the prefix cache holds `prefix_cache_bytes` at most
/// (nullopt: an eighth of MLX's memory limit), with the part of `draft`, a smaller model that is to
/// draft for it. Throws Error.
std::shared_ptr<LoadedModel> load(const ModelSource& source,
                                  std::optional<std::size_t> prefix_cache_bytes,
                                  const std::optional<ModelSource>& draft);

/// Submits a request; what is wrong with it is thrown here, before any work.
void submit(const std::shared_ptr<LoadedModel>& loaded, const std::shared_ptr<Request>& request);

/// Logits at every token, row-major (tokens, vocab_size), by forwards of `chunk` tokens each.
std::vector<float> logits(const std::shared_ptr<LoadedModel>& loaded,
                          const std::vector<int>& tokens, int chunk);

/// The same of several sequences that share each pass, sequence i with chunks[i] tokens of its own
/// in each.
std::vector<std::vector<float>> logits_together(const std::shared_ptr<LoadedModel>& loaded,
                                                const std::vector<std::vector<int>>& sequences,
                                                const std::vector<int>& chunks);

/// For each token after the first the log of its probability after those before it, by forwards of
/// `chunk` tokens each.
std::vector<float> token_logprobs(const std::shared_ptr<LoadedModel>& loaded,
                                  const std::vector<int>& tokens, int chunk);

/// Bytes a second at which this process reads `bytes` bytes of memory, on the device that computes.
double read_bandwidth(std::int64_t bytes, double seconds);

/// MLX primitives in the graph of one decode step.
int step_primitives(const std::shared_ptr<LoadedModel>& loaded);

}  // namespace convergio::engine
