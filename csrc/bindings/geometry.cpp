#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>
#include <vector>

#include "arch/config.h"
#include "bindings/bindings.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

namespace {

std::vector<int> windows(const arch::Config& config) {
  std::vector<int> found;
  for (const arch::LayerConfig& layer : config.layers) {
    found.push_back(layer.window);
  }
  return found;
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
      .def_prop_ro("windows", &windows,
                   "For each layer the tokens that a query sees; 0 where that is all.");
  m.def(
      "geometry",
      [](const nb::bytes& config) {
        return Config::parse(std::string_view(config.c_str(), config.size()));
      },
      "config"_a, "Reads a config.json's bytes.");
}

}  // namespace convergio::bindings
