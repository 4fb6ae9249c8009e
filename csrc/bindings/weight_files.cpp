#include "io/weight_files.h"

#include <nanobind/stl/optional.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/read.h"
#include "engine/reserve.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

namespace {

/// Names of files as os.fsdecode gives them: a folder may hold some that are not UTF-8.
nb::list names_of(const io::WeightFiles& files) {
  nb::list names;
  for (const std::string& name : files.names) {
    names.append(nb::steal(
        PyUnicode_DecodeFSDefaultAndSize(name.data(), static_cast<Py_ssize_t>(name.size()))));
  }
  return names;
}

}  // namespace

void bind_weight_files(nb::module_& m) {
  m.def(
      "weight_files",
      [](const nb::bytes& folder) {
        const std::filesystem::path path(read_bytes(folder));
        const auto files = [&path] {
          const WithoutGil without_gil;
          const engine::Reserve reserve;
          return io::find_weight_files(path);
        }();
        return names_of(files);
      },
      "folder"_a, nb::sig("def weight_files(folder: bytes) -> list[str]"),
      "The names of the files in `folder` (its path by os.fsencode) that hold the model's weights, "
      "sorted: what load() maps. Raises ModelNotFoundError, ModelCorruptError or LoadError.");
  m.def(
      "choose_weight_files",
      [](const nb::set& names, const std::optional<nb::bytes>& index, const nb::str& where) {
        std::optional<std::string_view> text;
        if (index) text.emplace(index->c_str(), index->size());
        return names_of(io::choose_weight_files(read_texts(names), text, read_text(where)));
      },
      "names"_a, "index"_a.none(), "where"_a,
      nb::sig("def choose_weight_files(names: set[str], index: bytes | None, where: str) -> "
              "list[str]"),
      "The same choice among all `names` of a repository, with the bytes of its "
      "model.safetensors.index.json, where it has one. `where` is how errors call it.");
}

}  // namespace convergio::bindings
