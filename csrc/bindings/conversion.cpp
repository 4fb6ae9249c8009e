#include "model/conversion.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/objects.h"
#include "bindings/read.h"
#include "engine/reserve.h"
#include "engine/runtime.h"
#include "formats/quantization.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

namespace {

using model::Conversion;

/// Name, dtype, shape, bytes.
using TensorRow = std::tuple<std::string, std::string, std::vector<std::int64_t>, std::size_t>;
/// Module, rows, columns; mode, bits and group size where it is quantized.
using MatrixRow = std::tuple<std::string, int, int, std::optional<std::string>, int, int>;

TensorRow row_of(const io::TensorView& tensor, std::vector<std::int64_t> shape) {
  return {tensor.name, std::string(io::name_of(tensor.dtype)), std::move(shape), tensor.bytes};
}

io::Dtype dtype_of(const std::string& name) {
  const std::optional<io::Dtype> dtype = io::dtype_from_name(name);
  if (!dtype) {
    throw Error(ErrorKind::InvalidRequest,
                "[convert] there is no dtype '" + name + "'; give F32, F16 or BF16.");
  }
  return *dtype;
}

nb::bytes bytes_of(const std::vector<std::byte>& data) {
  return nb::bytes(reinterpret_cast<const char*>(data.data()), data.size());
}

std::vector<TensorRow> tensors(const Conversion& self) {
  std::vector<TensorRow> rows;
  for (const std::string& name : self.spec().tensors) {
    rows.push_back(row_of(self.tensor(name), self.shape(name)));
  }
  return rows;
}

std::vector<MatrixRow> matrices(const Conversion& self) {
  std::vector<MatrixRow> rows;
  for (const arch::MatrixSpec& one : self.spec().matrices) {
    const auto& q = one.quantization;
    rows.emplace_back(one.name, one.rows, one.cols, q ? std::optional(q->mode) : std::nullopt,
                      q ? q->bits : 0, q ? q->group_size : 0);
  }
  return rows;
}

}  // namespace

/// A checkpoint's tensors, and what they become in other formats.
void bind_conversion(nb::module_& m) {
  nb::class_<Conversion>(m, "Conversion",
                         "A folder's checkpoint, read a part at a time. Made by conversion().")
      .def_prop_ro(
          "layers", [](const Conversion& self) { return self.spec().layers.size(); },
          "Number of decoder layers.")
      .def_prop_ro(
          "tensors", &tensors,
          "What the model reads of the checkpoint: (name, dtype, shape as the model has it, "
          "bytes).")
      .def_prop_ro("matrices", &matrices,
                   "Its weight matrices: (module, rows, columns, mode, bits, group size); mode is "
                   "None where it is not quantized.")
      .def_prop_ro(
          "interleaved",
          [](const Conversion& self) {
            std::vector<std::string> names;
            for (const arch::LayerSpec& layer : self.spec().layers) {
              if (layer.experts && layer.experts->interleaved) {
                names.push_back(layer.experts->gate_up.front().parts.front().name);
              }
            }
            return names;
          },
          "The tensors in which rows of gate and up projections take turns.")
      .def(
          "cast",
          [](const Conversion& self, const nb::str& given_name, std::int64_t first,
             std::int64_t count, const nb::str& dtype) {
            const std::string name = read_text(given_name);
            const io::Dtype wanted = dtype_of(read_text(dtype));
            const auto data = [&] {
              const WithoutGil without_gil;
              const engine::Reserve reserve;
              return self.cast(name, first, count, wanted);
            }();
            return bytes_of(data);
          },
          "name"_a, "first"_a, "count"_a, "dtype"_a,
          "Numbers [first, first + count) of a float tensor, in another float dtype; whole rows of "
          "a "
          "matrix that is stored transposed.")
      .def(
          "quantize",
          [](const Conversion& self, const nb::str& given_name, std::int64_t first,
             std::int64_t count, const nb::str& dtype, const nb::str& given_mode, int bits,
             int group_size) {
            const std::string name = read_text(given_name);
            const std::string mode = read_text(given_mode);
            const io::Dtype wanted = dtype_of(read_text(dtype));
            const auto rows = [&] {
              const WithoutGil without_gil;
              const engine::Reserve reserve;
              return self.quantize(name, first, count, wanted,
                                   {.mode = mode, .bits = bits, .group_size = group_size});
            }();
            return std::tuple(bytes_of(rows.weight), bytes_of(rows.scales), bytes_of(rows.biases));
          },
          "name"_a, "first"_a, "count"_a, "dtype"_a, "mode"_a, "bits"_a, "group_size"_a,
          "Rows [first, first + count) of a float matrix by mx::quantize: (weight, scales, "
          "biases), "
          "the last empty where the mode has none.")
      .def("check_files", &Conversion::check_files,
           "Raises ModelCorruptError where a file was cut off since it was opened.");
  m.def(
      "conversion",
      [](const nb::bytes& folder) {
        const std::filesystem::path path(read_bytes(folder));
        return make_object<Conversion>([&] {
          const WithoutGil without_gil;
          engine::backend();  // reads the environment: which device computes
          const engine::Reserve reserve;
          return Conversion::open(path);
        }());
      },
      "folder"_a,
      "Opens the model in `folder` (its path by os.fsencode) to convert it; reads headers alone.");
  m.def(
      "checkpoint_tensors",
      [](const nb::bytes& folder) {
        const std::filesystem::path path(read_bytes(folder));
        const WithoutGil without_gil;
        const engine::Reserve reserve;
        std::vector<TensorRow> rows;
        const io::Checkpoint checkpoint = io::Checkpoint::open(path);
        for (const auto& [name, tensor] : checkpoint.tensors()) {
          rows.push_back(row_of(tensor, tensor.shape));
        }
        return rows;
      },
      "folder"_a,
      "The tensors in a folder's safetensors files, by name, whatever model they are of: (name, "
      "dtype, shape, bytes).");
  m.def(
      "quantization_formats",
      [] {
        std::vector<std::tuple<std::string, std::vector<int>, std::vector<int>, int, int>> rows;
        for (const formats::QuantizedFormat& row : formats::kQuantizedFormats) {
          rows.emplace_back(row.mode, std::vector<int>(row.bits.begin(), row.bits.end()),
                            std::vector<int>(row.group_sizes.begin(), row.group_sizes.end()),
                            row.default_bits, row.default_group_size);
        }
        return rows;
      },
      "The formats of quantized matrices: (mode, bits, group sizes, default bits, default group "
      "size).");
}

}  // namespace convergio::bindings
