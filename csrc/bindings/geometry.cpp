#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "arch/config.h"
#include "arch/quantization_config.h"
#include "arch/rope.h"
#include "arch/spec.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/objects.h"
#include "bindings/read.h"
#include "formats/quantization.h"
#include "io/safetensors.h"
#include "model/forward.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

namespace {

/// One number of each layer.
template <typename Member>
std::vector<int> of_layers(const arch::Config& config, Member member) {
  std::vector<int> found;
  for (const arch::LayerConfig& layer : config.layers) {
    found.push_back(layer.*member);
  }
  return found;
}

std::pair<std::vector<float>, float> rotary(const arch::Config& config, std::size_t index,
                                            int length) {
  const arch::RopeTable table = arch::rope_table(config.ropes.at(index), length);
  return {table.periods, table.magnitude};
}

/// Of (name, dtype, shape), as a safetensors file will have it.
io::TensorView read_tensor(nb::handle given) {
  const auto parts = nb::cast<nb::tuple>(given);
  const auto dtype = io::dtype_from_name(read_text(nb::cast<nb::str>(parts[1])));
  if (!dtype) {
    throw nb::value_error("the dtype must be one of safetensors files");
  }
  io::TensorView tensor{.name = read_text(nb::cast<nb::str>(parts[0])),
                        .dtype = *dtype,
                        .shape = read_ints<std::int64_t>(nb::cast<nb::sequence>(parts[2])),
                        .data = nullptr,
                        .bytes = io::size_of(*dtype),
                        .file = nullptr};
  for (const std::int64_t size : tensor.shape) {
    tensor.bytes *= static_cast<std::size_t>(size);
  }
  return tensor;
}

using Described = nb::typed<nb::sequence, nb::typed<nb::tuple, nb::str, nb::str, Ints>>;

void check_fit(const nb::bytes& config, const Described& tensors) {
  (void)arch::ModelSpec::resolve(
      arch::Config::parse({config.c_str(), config.size()}),
      io::Checkpoint::planned(read_all<io::TensorView>(tensors, read_tensor)));
}

}  // namespace

/// config.json alone, as the engine reads it: what a model will need is known before it is loaded.
void bind_geometry(nb::module_& m) {
  using arch::Config;
  nb::class_<Config>(m, "Geometry", "The sizes that a config.json gives. Made by geometry().")
      .def_prop_ro("model_type",
                   [](const Config& self) { return std::string(self.family->model_type); })
      .def_ro("context_window", &Config::context_window, "Tokens of prompt and answer together.")
      .def_ro("hidden_size", &Config::hidden_size)
      .def_ro("intermediate_size", &Config::intermediate_size)
      .def_ro("heads", &Config::heads)
      .def_ro("kv_heads", &Config::kv_heads)
      .def_ro("head_dim", &Config::head_dim)
      .def_ro("vocab_size", &Config::vocab_size)
      .def_ro("norm_eps", &Config::norm_eps)
      .def_ro("post_norm_eps", &Config::post_norm_eps)
      .def_ro("attention_scale", &Config::attention_scale, "What q · k is multiplied with.")
      .def_ro("attention_softcap", &Config::attention_softcap, "0: none.")
      .def_ro("logits_softcap", &Config::logits_softcap, "0: none.")
      .def_ro("logits_divisor", &Config::logits_divisor)
      .def_ro("embedding_multiplier", &Config::embedding_multiplier)
      .def_ro("residual_multiplier", &Config::residual_multiplier)
      .def_ro("activation", &Config::activation)
      .def_ro("tied", &Config::tied,
              "Whether the embedding is the head; None where the file of weights tells.")
      .def_prop_ro(
          "experts",
          [](const Config& self) { return self.experts ? self.experts->router.experts : 0; },
          "Of a sparse layer, without what every token goes through; 0: no layer is sparse.")
      .def_prop_ro(
          "experts_per_token",
          [](const Config& self) { return self.experts ? self.experts->router.chosen : 0; })
      .def_prop_ro(
          "expert_width", [](const Config& self) { return self.experts ? self.experts->width : 0; },
          "The intermediate size of each expert.")
      .def_prop_ro(
          "expert_bits",
          [](const Config& self) {
            const auto& q = self.quantization.general.quantization;
            return q ? formats::quantized_format(q->mode)->bits_per_weight(q->bits, q->group_size)
                     : 0.0;
          },
          "Of an expert's weight, scales and biases included: what the quantization block says in "
          "general, which is of them where it is of anything; 0: it says nothing.")
      .def_prop_ro(
          "expert_parameters",
          [](const Config& self) -> std::int64_t {
            if (!self.experts) {
              return 0;
            }
            const int latent = self.experts->latent;
            return std::int64_t{self.experts->gated ? 3 : 2} * self.experts->width *
                   (latent > 0 ? latent : self.hidden_size);
          },
          "Of the matrices of one expert.")
      .def_prop_ro(
          "expert_latent",
          [](const Config& self) { return self.experts ? self.experts->latent : 0; },
          "Numbers that an expert is given and makes; 0: as many as the hidden state has.")
      .def_prop_ro(
          "feed_forward_matrices", [](const Config& self) { return self.family->gated ? 3 : 2; },
          "Of a dense feed-forward, and of what every token goes through beside experts.")
      .def_prop_ro(
          "shared_expert_width",
          [](const Config& self) { return self.experts ? self.experts->shared_width : 0; },
          "The intermediate size of what every token goes through in a sparse layer.")
      .def_prop_ro(
          "sparse_layers",
          [](const Config& self) {
            return std::ranges::count_if(self.layers, &arch::LayerConfig::sparse);
          },
          "How many layers have experts.")
      .def_prop_ro(
          "windows", [](const Config& self) { return of_layers(self, &arch::LayerConfig::window); },
          "For each layer the tokens that a query sees; 0 where that is all.")
      .def_prop_ro(
          "rotary_of_layers",
          [](const Config& self) { return of_layers(self, &arch::LayerConfig::rope); },
          "For each layer the index of its rotary table; -1 where it has none.")
      .def_prop_ro(
          "kv_numbers_of_layers",
          [](const Config& self) {
            std::vector<int> numbers;
            for (const arch::LayerConfig& layer : self.layers) {
              numbers.push_back(layer.kv_numbers());
            }
            return numbers;
          },
          "For each layer the numbers that its KV cache has of a token; 0 where it shares another "
          "layer's or has no attention.")
      .def_prop_ro(
          "state_numbers",
          [](const Config& self) {
            std::int64_t all = 0;
            for (const arch::LayerConfig& layer : self.layers) {
              all += layer.recurrence.state_numbers();
            }
            return all;
          },
          "Of the states of all layers' recurrences, float32, however long a sequence is.")
      .def_prop_ro(
          "mixer_parameters",
          [](const Config& self) {
            std::int64_t all = 0;
            for (const arch::LayerConfig& layer : self.layers) {
              all += layer.mixer_parameters(self.hidden_size);
            }
            return all;
          },
          "Of the matrices of all layers' attention and recurrences.")
      .def_prop_ro(
          "widths_of_layers",
          [](const Config& self) {
            std::vector<std::tuple<int, int, int>> widths;
            for (const arch::LayerConfig& layer : self.layers) {
              const arch::LatentSizes& latent = layer.latent;
              const int query =
                  std::max({layer.head_dim, latent.plain + latent.rotated, latent.value});
              const int attention = layer.attends ? 1 : 0;
              widths.emplace_back(attention * layer.heads * query + layer.recurrence.width(),
                                  attention * layer.kv_heads * layer.head_dim,
                                  layer.feeds ? layer.intermediate_size : 0);
            }
            return widths;
          },
          "For each layer the numbers of a token's queries and of what its recurrence makes of "
          "it, of its keys and of its feed-forward.")
      .def_ro("per_layer_size", &Config::per_layer_size,
              "Numbers that each layer gets of a token beside the hidden state; 0: none.")
      .def("rotary", &rotary, "index"_a, "length"_a,
           "A rotary table as it is for a sequence of `length` positions: (positions in which "
           "each pair rotates by one radian, what cosines and sines are multiplied with).");
  m.def(
      "geometry",
      [](const nb::bytes& config) {
        return make_object<Config>(Config::parse(std::string_view(config.c_str(), config.size())));
      },
      "config"_a, "Reads a config.json's bytes.");
  m.def(
      "check_config",
      [](const nb::bytes& config) {
        const std::string_view text(config.c_str(), config.size());
        const arch::QuantizationBlock block = Config::parse(text).quantization;
        if (block.foreign) {
          (void)block.general.value();
        }
      },
      "config"_a,
      "Raises where a model with these bytes as its config.json, its format of weights included, "
      "cannot run.");
  m.def("check_fit", &check_fit, "config"_a, "tensors"_a,
        "Raises where a model of these tensors, (name, dtype, shape) each, with these bytes as its "
        "config.json, would not load.");
  m.def(
      "folder_geometry",
      [](const nb::bytes& folder) {
        return make_object<Config>(model::read_config(read_bytes(folder)));
      },
      "folder"_a, "Reads the config.json of a folder (its path by os.fsencode).");
  m.def(
      "idle_bytes",
      [](const nb::bytes& folder) {
        const std::filesystem::path path(read_bytes(folder));
        const WithoutGil without_gil;
        return arch::ModelSpec::resolve(model::read_config(path), io::Checkpoint::open(path))
            .idle_bytes;
      },
      "folder"_a,
      "Of the weights in a folder (its path by os.fsencode), the bytes that making a token does "
      "not "
      "read: experts that it does not go to, rows of tables for each layer. Reads headers alone.");
}

}  // namespace convergio::bindings
