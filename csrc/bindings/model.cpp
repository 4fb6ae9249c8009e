#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/handles.h"
#include "bindings/objects.h"
#include "bindings/read.h"
#include "engine/draft_model.h"
#include "engine/runtime.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

namespace {

/// A loaded model, freed by the worker once Python and every request have let go of it.
struct ModelHandle {
  std::shared_ptr<engine::LoadedModel> loaded;

  const model::Model& model() const { return *loaded->model; }

  engine::DraftModel& draft() const {
    if (!loaded->draft) {
      throw Error(ErrorKind::InvalidRequest,
                  "[engine] no model drafts for this one; load it with one that does.");
    }
    return *loaded->draft;
  }
};

using Matrix = nb::ndarray<nb::array_api, float, nb::ndim<2>, nb::c_contig>;

/// Rows of logits, which the matrix owns.
Matrix matrix_of(std::vector<float> logits, std::size_t width) {
  auto rows = std::make_unique<std::vector<float>>(std::move(logits));
  float* data = rows->data();
  const std::size_t count = rows->size() / width;
  const nb::capsule owner(rows.get(),
                          [](void* p) noexcept { delete static_cast<std::vector<float>*>(p); });
  rows.release();
  return Matrix(data, {count, width}, owner);
}

engine::ModelSource source_of(const nb::bytes& folder, const arch::Config* config) {
  return {std::filesystem::path(read_bytes(folder)),
          config == nullptr ? std::nullopt : std::optional(*config)};
}

Matrix logits(const ModelHandle& self, const Ints& given, int chunk) {
  const std::vector<int> tokens = read_ints(given);
  std::vector<float> rows;
  {
    const WithoutGil without_gil;
    rows = engine::logits(self.loaded, tokens, chunk);
  }
  return matrix_of(std::move(rows), static_cast<std::size_t>(self.model().vocab_size()));
}

std::vector<Matrix> logits_together(const ModelHandle& self,
                                    const nb::typed<nb::sequence, Ints>& given,
                                    const Ints& chunks) {
  const auto sequences = read_all<std::vector<int>>(
      given, [](nb::handle one) { return read_ints(nb::cast<nb::sequence>(one)); });
  const std::vector<int> tokens_a_pass = read_ints(chunks);
  std::vector<std::vector<float>> rows;
  {
    const WithoutGil without_gil;
    rows = engine::logits_together(self.loaded, sequences, tokens_a_pass);
  }
  std::vector<Matrix> all;
  for (std::vector<float>& one : rows) {
    all.push_back(matrix_of(std::move(one), static_cast<std::size_t>(self.model().vocab_size())));
  }
  return all;
}

}  // namespace

void bind_model(nb::module_& m) {
  nb::class_<ModelHandle>(m, "Model", "A loaded model. Made by load(); used from any thread.")
      .def_prop_ro("vocab_size", [](const ModelHandle& self) { return self.model().vocab_size(); })
      .def_prop_ro(
          "context_window", [](const ModelHandle& self) { return self.model().context_window(); },
          "Tokens of prompt and answer together.")
      .def_prop_ro(
          "model_type",
          [](const ModelHandle& self) {
            return std::string(self.model().spec().config.family->model_type);
          },
          "The row of the table of architectures that runs it.")
      .def_prop_ro(
          "weight_bytes", [](const ModelHandle& self) { return self.model().weight_bytes(); },
          "Bytes of all tensors in the files.")
      .def_prop_ro(
          "resident_weight_bytes",
          [](const ModelHandle& self) { return self.model().resident_weight_bytes(); },
          "Bytes of the mapped files that are in memory now, whichever process read them.")
      .def_prop_ro(
          "kv_bytes_per_token",
          [](const ModelHandle& self) { return self.model().kv_bytes_per_token(); },
          "What a token adds to the KV cache, in bytes, in the layers that keep every token.")
      .def_prop_ro(
          "state_bytes", [](const ModelHandle& self) { return self.model().state_bytes(); },
          "Of the states of a sequence's recurrences, however long it is.")
      .def_prop_ro(
          "prefill_chunk",
          [](const ModelHandle& self) {
            return engine::prefill_chunk(self.model().spec().config.experts.has_value());
          },
          "Tokens of a prompt that are best run at once.")
      .def_prop_ro(
          "step_weight_bytes", [](const ModelHandle& self) { return self.model().step_bytes(); },
          "Bytes of the weights that making a token reads: of an embedding that is not the head "
          "too, one row.")
      .def(
          "step_primitives",
          [](const ModelHandle& self) { return engine::step_primitives(self.loaded); },
          nb::call_guard<WithoutGil>(), "MLX primitives in the graph of one decode step.")
      .def_prop_ro(
          "prefix_cache_stats",
          [](const ModelHandle& self) {
            auto stats = self.loaded->prefix_cache.stats();
            if (self.loaded->draft) {
              stats.bytes += self.loaded->draft->loaded->prefix_cache.stats().bytes;
            }
            return std::tuple(stats.sequences, stats.bytes, stats.snapshots, stats.snapshot_bytes);
          },
          "What the prefix cache holds of finished requests: (sequences, bytes, snapshots, bytes "
          "of these), the bytes with those of the model that drafts.")
      .def_prop_rw(
          "drafts_always", [](const ModelHandle& self) { return self.draft().always.load(); },
          [](ModelHandle& self, bool always) { self.draft().always = always; },
          "Whether the model that drafts does so in each pass, whatever that costs: for tests and "
          "measurements.")
      .def_prop_rw(
          "pass_bytes", [](const ModelHandle& self) { return self.loaded->pass_bytes.load(); },
          [](ModelHandle& self, std::size_t bytes) { self.loaded->pass_bytes = bytes; },
          "Bytes that a pass takes beside weights and KV caches; requests that wait leave them "
          "free.")
      .def_prop_rw(
          "prefill_pause", [](const ModelHandle& self) { return self.loaded->pace.bound(); },
          [](ModelHandle& self, std::optional<double> seconds) {
            self.loaded->pace.bound(seconds);
          },
          nb::for_setter(nb::arg("seconds").none()),
          "Seconds by which rows of a prompt may lengthen the passes of those that decode; None: "
          "no bound of time.")
      .def("logits", &logits, "tokens"_a, "chunk"_a = 512,
           "Logits at every token, (len(tokens), vocab_size) float32, by forwards of `chunk` "
           "tokens each.")
      .def("logits_together", &logits_together, "sequences"_a, "chunks"_a,
           "The logits of several sequences that share each pass, sequence i with chunks[i] tokens "
           "of its own in each: a list of what logits() gives.")
      .def(
          "token_logprobs",
          [](const ModelHandle& self, const Ints& given, int chunk) {
            const std::vector<int> tokens = read_ints(given);
            const WithoutGil without_gil;
            return engine::token_logprobs(self.loaded, tokens, chunk);
          },
          "tokens"_a, "chunk"_a = 64,
          "For each token after the first the log of its probability after those before it, by "
          "forwards of `chunk` tokens each.")
      .def(
          "submit",
          [](const ModelHandle& self, const RequestHandle& handle) {
            engine::submit(self.loaded, handle.request);
          },
          "request"_a,  // with the GIL: it is quick, and an asyncio loop calls it
          "Queues a request; what is wrong with it raises here, before any work.");
  m.def("keeps_half_cache", &model::Model::keeps_half_cache,
        "Whether keys and values are float16 whatever the model's dtype.");
  m.def(
      "load",
      [](const nb::bytes& folder, std::optional<std::size_t> prefix_cache_bytes,
         const arch::Config* config, const std::optional<nb::bytes>& draft,
         const arch::Config* draft_config) {
        const engine::ModelSource source = source_of(folder, config);
        const auto smaller = draft ? std::optional(source_of(*draft, draft_config)) : std::nullopt;
        return make_object<ModelHandle>([&] {
          const WithoutGil without_gil;
          return engine::load(source, prefix_cache_bytes, smaller);
        }());
      },
      "folder"_a, "prefix_cache_bytes"_a.none() = nb::none(), "geometry"_a.none() = nb::none(),
      "draft"_a.none() = nb::none(), "draft_geometry"_a.none() = nb::none(),
      "Maps the model in `folder` (its path by os.fsencode): its safetensors files, and "
      "config.json where `geometry` does not give what it says. Reads no matrix. The prefix cache "
      "holds `prefix_cache_bytes` at most; None: an eighth of MLX's memory limit. The model in "
      "the folder `draft`, of the same vocabulary, drafts for it.");
}

}  // namespace convergio::bindings
