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

#include "engine/failure.h"
#include "kernels/bandwidth.h"
#include "kernels/isa.h"
#include "kernels/primitive.h"
#include "mlx/device.h"
#include "mlx/memory.h"
#include "mlx/ops.h"
#include "mlx/transforms.h"

namespace convergio::engine {

namespace {

constexpr std::size_t kMostActive = 8;  ///< requests that take turns; each holds a KV cache
/// Freed GPU buffers that MLX may keep: enough for a step's. Metal's are a page of 16 KiB at least,
/// so these are 65 536 at most, far from its limit of 499 000.
constexpr std::size_t kBufferCacheBytes = std::size_t{1} << 30;

std::mutex start_mutex;
// never destroyed: threads of the host may still call while the process ends
std::atomic<Worker*> started = nullptr;

/// What the environment says: CONVERGIO_MLX_DEVICE=cpu keeps a program off the GPU, and
/// CONVERGIO_MLX_ISA names a kernel set.
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
  if (const char* given = std::getenv("CONVERGIO_MLX_MEMORY_LIMIT")) {
    const std::string_view text = given;
    std::size_t bytes = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), bytes);
    if (error != std::errc() || end != text.end() || bytes == 0) {
      throw Error(ErrorKind::InvalidRequest,
                  "[engine] CONVERGIO_MLX_MEMORY_LIMIT is '" + std::string(text) +
                      "', which must be a whole number of bytes above 0.");
    }
    set_memory_limit(bytes);
  }
  try {
    kernels::active_isa();
  } catch (const std::invalid_argument& error) {
    throw Error(ErrorKind::InvalidRequest, error.what());
  }
}

/// Once, before MLX is used; again where it threw.
void prepare() {
  static std::once_flag done;
  std::call_once(done, [] {
    set_memory_limit(std::nullopt);
    read_environment();
    if (mx::default_device() == mx::Device::gpu) {
      mx::set_cache_limit(kBufferCacheBytes);
    }
  });
}

/// Runs a job on the worker; again without what is kept for later, where memory ran out.
template <typename Job>
std::invoke_result_t<Job> on_worker(Job job, ErrorKind fallback) {
  const auto attempt = [&job, fallback]() -> std::invoke_result_t<Job> {
    try {
      return job();
    } catch (...) {
      throw classify(std::current_exception(), fallback);
    }
  };
  return worker().run([&attempt]() -> std::invoke_result_t<Job> {
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

}  // namespace

Worker& worker() {
  Worker* current = started;
  if (current == nullptr) {
    const std::scoped_lock lock(start_mutex);
    current = started;
    if (current == nullptr) {
      prepare();
      try {
        current = new Worker(kMostActive);
      } catch (const std::system_error& error) {
        throw Error(ErrorKind::LoadFailed, std::string("[engine] no thread could be started (") +
                                               error.what() + "); raise the limit on threads.");
      }
      started = current;
    }
  }
  return *current;
}

void shutdown() {
  if (Worker* current = started) {
    current->stop();
  }
}

std::string backend() {
  prepare();
  if (mx::default_device() == mx::Device::cpu) {
    return "cpu";
  }
#ifdef __APPLE__
  return "metal";
#else
  return "cuda";
#endif
}

std::unordered_map<std::string, std::variant<std::string, std::size_t>> gpu() {
  prepare();
  if (mx::default_device() == mx::Device::cpu) {
    return {};
  }
  return mx::device_info(mx::default_device());
}

std::shared_ptr<LoadedModel> load(const std::filesystem::path& folder,
                                  std::optional<std::size_t> kept_bytes) {
  auto loaded = on_worker(
      [&] {
        return std::make_shared<LoadedModel>(model::Model::load(folder),
                                             kept_bytes.value_or(mx::get_memory_limit() / 8));
      },
      ErrorKind::LoadFailed);
  LoadedModel* raw = loaded.get();
  // whoever lets go last, the arrays are freed where they were made
  return {raw, [held = std::move(loaded)](LoadedModel*) mutable {
            worker().run_later([last = std::move(held)]() mutable { last.reset(); });
          }};
}

void submit(const std::shared_ptr<LoadedModel>& loaded, const std::shared_ptr<Request>& request) {
  worker().submit(std::make_shared<Generation>(loaded, request));
}

std::vector<float> logits(const std::shared_ptr<LoadedModel>& loaded,
                          const std::vector<int>& tokens, int chunk) {
  const model::Model& model = *loaded->model;
  check_prompt(model, tokens);
  if (chunk < 1) {
    throw Error(ErrorKind::InvalidRequest,
                "[engine] chunk is " + std::to_string(chunk) + ", which must be at least 1.");
  }
  const auto vocab = static_cast<std::size_t>(model.vocab_size());
  return on_worker(
      [&] {
        const kernels::Eager eager;
        std::vector<float> rows;
        rows.reserve(tokens.size() * vocab);
        const auto count = static_cast<int>(tokens.size());
        model::Cache cache = model.make_cache(count);
        cache.reserve(count);
        for (int from = 0; from < count; from += chunk) {
          const int n = std::min(chunk, count - from);
          const mx::array ids(tokens.begin() + from, {n}, mx::int32);
          mx::array y = mx::astype(model.logits(model.forward(ids, cache)), mx::float32);
          y = mx::contiguous(y);
          mx::eval(y);
          rows.insert(rows.end(), y.data<float>(), y.data<float>() + y.size());
        }
        return rows;
      },
      ErrorKind::InferenceFailed);
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
