#include "engine/runtime.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "engine/device_failures.h"
#include "engine/draft_model.h"
#include "engine/failure.h"
#include "engine/host_constraint.h"
#include "engine/request_check.h"
#include "engine/reserve.h"
#include "engine/sampling_kernels.h"
#include "kernels/cpu/isa.h"
#include "kernels/mlx/forced_dtype.h"
#include "kernels/mlx/mapped_arrays.h"
#include "kernels/mlx/metallib.h"
#include "kernels/mlx/policy.h"
#include "kernels/mlx/primitive.h"
#include "kernels/ops/bandwidth.h"
#include "mlx/device.h"
#include "mlx/memory.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

std::mutex start_mutex;
// never destroyed: threads of the host may still call while the process ends
std::atomic<Worker*> started = nullptr;

/// Reads a part of the environment; Error where a value means nothing.
template <class Read>
void checked(const Read& read) {
  try {
    read();
  } catch (const std::invalid_argument& error) {
    throw Error(ErrorKind::InvalidRequest, error.what());
  }
}

/// What the environment says: CONVERGIO_MLX_METALLIB names MLX's Metal kernels,
/// CONVERGIO_MLX_DEVICE=cpu keeps a program off the GPU,
/// CONVERGIO_MLX_ISA names a kernel set, CONVERGIO_MLX_DTYPE the dtype of activations,
/// CONVERGIO_MLX_MAP_WEIGHTS=0 has weights read,
/// CONVERGIO_MLX_MAPPING_GUARD=0 is read by io/mapping_guard and
/// CONVERGIO_MLX_GPU_KERNELS=0 by kernel_trial.
void read_environment() {
  const char* value = std::getenv("CONVERGIO_MLX_DEVICE");
  const std::string_view device = value == nullptr ? "" : value;
  if (device == "cpu") {
    mx::set_default_device(mx::Device::cpu);
  } else if (device == "gpu" ? !mx::is_available(mx::Device::gpu) : !device.empty()) {
    throw Error(ErrorKind::InvalidRequest,
                "[engine] CONVERGIO_MLX_DEVICE is '" + std::string(device) +
                    "', but this machine has: cpu" +
                    (mx::is_available(mx::Device::gpu) ? ", gpu." : "."));
  }
  checked([] {
    kernels::active_isa();
    kernels::device_binding();
    kernels::forced_dtype();
  });
  if (const char* limit = std::getenv("CONVERGIO_MLX_MEMORY_LIMIT")) {
    const std::string_view text = limit;
    std::size_t bytes = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), bytes);
    if (error != std::errc() || end != text.end() || bytes == 0) {
      throw Error(ErrorKind::InvalidRequest,
                  "[engine] CONVERGIO_MLX_MEMORY_LIMIT is '" + std::string(text) +
                      "', which must be a whole number of bytes above 0.");
    }
    set_memory_limit(bytes);
  }
  for (const char* name : {"CONVERGIO_MLX_MAPPING_GUARD", "CONVERGIO_MLX_GPU_KERNELS"}) {
    const char* given = std::getenv(name);
    if (const std::string_view text = given == nullptr ? "1" : given; text != "0" && text != "1") {
      throw Error(ErrorKind::InvalidRequest, "[engine] " + std::string(name) + " is '" +
                                                 std::string(text) + "', which must be 0 or 1.");
    }
  }
}

/// Once, before MLX is used; again where it threw.
void prepare() {
  static std::once_flag done;
  std::call_once(done, [] {
    checked([] { kernels::use_metallib(); });  // what follows makes MLX's device
    set_memory_limit(std::nullopt);
    read_environment();
    if (const std::size_t most = kernels::policy().buffer_cache; most > 0) {
      mx::set_cache_limit(most);
    }
  });
}

/// A constraint's code may not call the engine, whose answer waits for it.
void refuse_reentry() {
  if (HostConstraint::answering()) {
    throw Error(ErrorKind::InvalidRequest,
                "[engine] a constraint called the engine while an answer waits for what it "
                "returns; do this before the answer begins, or on another thread.");
  }
}

/// Runs a job on the worker; again with empty prefix caches, where memory ran out.
template <typename Job>
std::invoke_result_t<Job> on_worker(Job job, ErrorKind fallback) {
  const auto attempt = [&job, fallback]() -> std::invoke_result_t<Job> {
    try {
      return job();
    } catch (...) {
      const Error error = classify(std::current_exception(), fallback);
      note_device_failure(error);
      throw error;
    }
  };
  refuse_reentry();
  return worker().run([&attempt]() -> std::invoke_result_t<Job> {
    reserve_for_graphs();
    try {
      return attempt();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::OutOfMemory || !PrefixCache::clear_all()) {
        throw;
      }
    }
    mx::clear_cache();
    return attempt();
  });
}

void check_chunk(int chunk) {
  if (chunk < 1) {
    throw Error(ErrorKind::InvalidRequest,
                "[engine] chunk is " + std::to_string(chunk) + ", which must be at least 1.");
  }
}

/// Runs `tokens` on the worker, `chunk` at a time, and hands on the logits (n, vocab_size) float32
/// of each chunk, with the index of its first token.
template <typename Take>
void each_chunk(const model::Model& model, const std::vector<int>& tokens, int chunk, Take take) {
  check_prompt(model, tokens);
  check_chunk(chunk);
  on_worker(
      [&] {
        model.check_files();
        const kernels::Eager eager;
        const auto count = static_cast<int>(tokens.size());
        model::Cache cache = model.make_cache(count);
        cache.reserve(count);
        for (int from = 0; from < count; from += chunk) {
          const int n = std::min(chunk, count - from);
          const mx::array ids(tokens.begin() + from, {n}, mx::int32);
          take(mx::astype(model.logits(model.forward(ids, cache)), mx::float32), from);
        }
        model.check_undamaged();
      },
      ErrorKind::InferenceFailed);
}

/// A sequence that is run together with others.
struct Course {
  const std::vector<int>* tokens;
  int chunk;
  model::Cache cache;
  std::vector<float> logits;

  int left() const { return std::min(chunk, static_cast<int>(tokens->size()) - cache.length()); }
};

/// One pass over the next tokens of all that have some left; false where none has.
bool run_together(const model::Model& model, std::vector<Course>& courses) {
  std::vector<int> ids;
  std::vector<model::Segment> segments;
  std::vector<Course*> running;
  for (Course& one : courses) {
    if (const int n = one.left(); n > 0) {
      const auto from = one.tokens->begin() + one.cache.length();
      ids.insert(ids.end(), from, from + n);
      segments.push_back({&one.cache, n});
      running.push_back(&one);
    }
  }
  if (running.empty()) {
    return false;
  }
  const mx::array all(ids.begin(), {static_cast<int>(ids.size())}, mx::int32);
  const mx::array y =
      mx::contiguous(mx::astype(model.logits(model.forward(all, segments)), mx::float32));
  mx::eval(y);
  const float* row = y.data<float>();
  for (std::size_t i = 0; i < running.size(); ++i) {
    const float* end = row + static_cast<std::ptrdiff_t>(segments[i].rows) * y.shape(1);
    running[i]->logits.insert(running[i]->logits.end(), row, end);
    row = end;
  }
  return true;
}

/// Throws Error where a model cannot go back behind a draft that does not come.
void check_goes_back(const model::Model& model, const char* which) {
  if (model.state_bytes() > 0) {
    throw Error(ErrorKind::InvalidRequest,
                "[engine] " + std::string(which) + " ('" +
                    std::string(model.spec().config.family->model_type) +
                    "') has layers with states, which cannot go back behind a draft that does not "
                    "come; draft with models whose layers attend alone, or leave draft_model out.");
  }
}

/// A model and a smaller one that drafts for it; both cache as many tokens.
std::shared_ptr<LoadedModel> with_draft(std::shared_ptr<const model::Model> model,
                                        const ModelSource& draft, std::size_t prefix_cache_bytes) {
  check_goes_back(*model, "the model");
  auto smaller = model::Model::load(draft.folder, draft.config);
  check_goes_back(*smaller, "the draft model");
  const auto a_token = static_cast<double>(model->kv_bytes(1));
  const auto of_draft = static_cast<double>(smaller->kv_bytes(1));
  const double both = a_token + of_draft;
  const double share = both > 0 ? a_token / both : 0.5;  // neither may have a layer that attends
  const auto own = static_cast<std::size_t>(static_cast<double>(prefix_cache_bytes) * share);
  auto loaded = std::make_shared<LoadedModel>(std::move(model), own);
  loaded->draft = std::make_shared<DraftModel>(
      std::make_shared<LoadedModel>(std::move(smaller), prefix_cache_bytes - own));
  return loaded;
}

}  // namespace

Worker& worker() {
  Worker* current = started;
  if (current == nullptr) {
    const std::scoped_lock lock(start_mutex);
    current = started;
    if (current == nullptr) {
      prepare();
      try {
        current =
            new Worker(kMostTogether, [] { return room_for_caches(PrefixCache::all_bytes()); });
      } catch (const std::system_error& error) {
        throw Error(ErrorKind::LoadFailed, std::string("[engine] no thread could be started (") +
                                               error.what() + "); raise the limit on threads.");
      }
      started = current;
    }
  }
  return *current;
}

Worker::Stats queue_stats() {
  Worker* current = started;
  return current == nullptr ? Worker::Stats{} : current->stats();
}

void shutdown() {
  if (Worker* current = started) {
    current->stop();
  }
}

std::string backend() {
  prepare();
  return kernels::policy().name;
}

int prefill_chunk(bool experts) {
  prepare();
  return experts ? kernels::policy().expert_chunk : kernels::policy().prefill_chunk;
}

std::unordered_map<std::string, std::variant<std::string, std::size_t>> gpu() {
  prepare();
  if (mx::default_device() == mx::Device::cpu) {
    return {};
  }
  return mx::device_info(mx::default_device());
}

std::string gpu_kernels() {
  return on_worker(
      [] {
        const KernelTrial& trial = sampling_kernels();
        return trial.passed ? "used" : trial.fault;
      },
      ErrorKind::InferenceFailed);
}

std::shared_ptr<LoadedModel> load(const ModelSource& source,
                                  std::optional<std::size_t> prefix_cache_bytes,
                                  const std::optional<ModelSource>& draft) {
  auto loaded = on_worker(
      [&] {
        if (draft && !kernels::own_kernels()) {
          throw Error(ErrorKind::InvalidRequest,
                      "[engine] a draft model drafts on our CPU kernels alone, and this process "
                      "computes without them, on '" +
                          std::string(kernels::policy().name) +
                          "'; load the model without draft_model.");
        }
        const std::size_t cached = prefix_cache_bytes.value_or(mx::get_memory_limit() / 8);
        auto model = model::Model::load(source.folder, source.config);
        sampling_kernels();  // tried now, so that no answer waits for their compiler
        return draft ? with_draft(std::move(model), *draft, cached)
                     : std::make_shared<LoadedModel>(std::move(model), cached);
      },
      ErrorKind::LoadFailed);
  LoadedModel* raw = loaded.get();
  // the arrays are freed on the thread that made them, whichever thread drops the last reference
  Worker::Later free_it([last = std::move(loaded)]() mutable {
    last.reset();
    give_back_free_memory();
  });
  return {raw, [&on = worker(), later = std::move(free_it)](LoadedModel*) mutable {
            on.run_later(std::move(later));
          }};
}

void submit(const std::shared_ptr<LoadedModel>& loaded, const std::shared_ptr<Request>& request) {
  refuse_reentry();
  if (const auto& constraint = request->constraint()) {
    constraint->when_ready([] { worker().wake(); });
  }
  worker().submit(std::make_shared<Generation>(loaded, request));
}

std::vector<float> logits(const std::shared_ptr<LoadedModel>& loaded,
                          const std::vector<int>& tokens, int chunk) {
  const auto vocab = static_cast<std::size_t>(loaded->model->vocab_size());
  std::vector<float> rows;
  rows.reserve(tokens.size() * vocab);
  each_chunk(*loaded->model, tokens, chunk, [&](const mx::array& logits, int from) {
    const mx::array y = mx::contiguous(logits);
    mx::eval(y);
    rows.resize(static_cast<std::size_t>(from) * vocab);  // the worker may have begun again
    rows.insert(rows.end(), y.data<float>(), y.data<float>() + y.size());
  });
  return rows;
}

std::vector<std::vector<float>> logits_together(const std::shared_ptr<LoadedModel>& loaded,
                                                const std::vector<std::vector<int>>& sequences,
                                                const std::vector<int>& chunks) {
  const model::Model& model = *loaded->model;
  if (sequences.size() != chunks.size()) {
    throw Error(ErrorKind::InvalidRequest, "[engine] " + std::to_string(sequences.size()) +
                                               " sequences have " + std::to_string(chunks.size()) +
                                               " chunks; give one for each.");
  }
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    check_prompt(model, sequences[i]);
    check_chunk(chunks[i]);
  }
  return on_worker(
      [&] {
        model.check_files();
        const kernels::Eager eager;
        std::vector<Course> courses;
        for (std::size_t i = 0; i < chunks.size(); ++i) {
          const auto count = static_cast<int>(sequences[i].size());
          courses.push_back({&sequences[i], chunks[i], model.make_cache(count), {}});
          courses.back().cache.reserve(count);
        }
        while (run_together(model, courses)) {
        }
        model.check_undamaged();
        std::vector<std::vector<float>> found;
        for (Course& one : courses) {
          found.push_back(std::move(one.logits));
        }
        return found;
      },
      ErrorKind::InferenceFailed);
}

std::vector<float> token_logprobs(const std::shared_ptr<LoadedModel>& loaded,
                                  const std::vector<int>& tokens, int chunk) {
  std::vector<float> found;
  found.reserve(tokens.size());
  each_chunk(*loaded->model, tokens, chunk, [&](const mx::array& logits, int from) {
    const int n = std::min(logits.shape(0), static_cast<int>(tokens.size()) - 1 - from);
    if (n < 1) {
      return;
    }
    const mx::array rows = mx::slice(logits, {0, 0}, {n, logits.shape(1)});
    const mx::array next(tokens.begin() + from + 1, {n, 1}, mx::int32);
    const mx::array chosen = mx::squeeze(mx::take_along_axis(rows, next, 1), 1);
    const mx::array y = mx::contiguous(mx::subtract(chosen, mx::logsumexp(rows, 1)));
    mx::eval(y);
    found.resize(static_cast<std::size_t>(from));
    found.insert(found.end(), y.data<float>(), y.data<float>() + y.size());
  });
  return found;
}

double read_bandwidth(std::int64_t bytes, double seconds) {
  constexpr std::int64_t kLeast = 1 << 16;
  if (bytes < kLeast || !(seconds > 0)) {
    throw Error(ErrorKind::InvalidRequest, "[engine] " + std::to_string(bytes) + " bytes in " +
                                               std::to_string(seconds) +
                                               " s cannot be measured; give at least " +
                                               std::to_string(kLeast) + " bytes and above 0 s.");
  }
  return on_worker([=] { return kernels::read_bandwidth(bytes, seconds); },
                   ErrorKind::InferenceFailed);
}

int step_primitives(const std::shared_ptr<LoadedModel>& loaded) {
  return on_worker(
      [&model = *loaded->model] {
        const mx::array ids({0}, {1}, mx::int32);
        model::Cache cache = model.make_cache(2);
        mx::eval(model.logits(model.forward(ids, cache)));  // what is made once is made now
        std::unordered_set<std::uintptr_t> seen;
        std::vector<mx::array> left{model.logits(model.forward(ids, cache))};
        while (!left.empty()) {
          const mx::array one = std::move(left.back());
          left.pop_back();
          if (one.status() == mx::array::Status::unscheduled &&
              seen.insert(one.primitive_id()).second) {
            left.insert(left.end(), one.inputs().begin(), one.inputs().end());
          }
        }
        return static_cast<int>(seen.size());
      },
      ErrorKind::InferenceFailed);
}

}  // namespace convergio::engine
