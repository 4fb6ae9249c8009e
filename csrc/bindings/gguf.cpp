#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/objects.h"
#include "bindings/read.h"
#include "io/error.h"
#include "io/gguf_file.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace convergio::bindings {

namespace {

using formats::ScaleType;

/// A str, or bytes where the text is not UTF-8.
nb::object text_of(std::string_view text) {
  const auto size = static_cast<Py_ssize_t>(text.size());
  if (PyObject* decoded = PyUnicode_DecodeUTF8(text.data(), size, nullptr)) {
    return nb::steal(decoded);
  }
  PyErr_Clear();
  return nb::bytes(text.data(), text.size());
}

template <class T>
nb::object number_at(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof(value));
  if constexpr (std::is_floating_point_v<T>) {
    return nb::float_(static_cast<double>(value));
  } else {
    return nb::int_(value);
  }
}

template <class T>
nb::list numbers(const io::GgufValue& value) {
  nb::list items;
  for (std::uint64_t i = 0; i < value.count; ++i) {
    items.append(number_at<T>(value.data.data() + i * sizeof(T)));
  }
  return items;
}

nb::list items_of(const io::GgufValue& value) {
  using io::GgufType;
  switch (value.item) {
    case GgufType::U8:
      return numbers<std::uint8_t>(value);
    case GgufType::I8:
      return numbers<std::int8_t>(value);
    case GgufType::U16:
      return numbers<std::uint16_t>(value);
    case GgufType::I16:
      return numbers<std::int16_t>(value);
    case GgufType::U32:
      return numbers<std::uint32_t>(value);
    case GgufType::I32:
      return numbers<std::int32_t>(value);
    case GgufType::U64:
      return numbers<std::uint64_t>(value);
    case GgufType::I64:
      return numbers<std::int64_t>(value);
    case GgufType::F32:
      return numbers<float>(value);
    case GgufType::F64:
      return numbers<double>(value);
    default:
      break;
  }
  nb::list items;
  if (value.item == GgufType::Bool) {
    for (const std::byte each : value.data) {
      items.append(nb::bool_(each != std::byte{0}));
    }
  } else {
    for (const std::string_view each : io::strings_of(value)) {
      items.append(text_of(each));
    }
  }
  return items;
}

nb::dict metadata_of(const io::GgufFile& file) {
  nb::dict found;
  for (const io::GgufKey& key : file.header().keys) {
    const nb::list items = items_of(key.value);
    found[nb::str(key.name.data(), key.name.size())] =
        key.value.is_array ? nb::object(items) : nb::object(items[0]);
  }
  return found;
}

nb::list tensors_of(const io::GgufFile& file) {
  nb::list found;
  for (const io::GgufTensor& tensor : file.header().tensors) {
    found.append(nb::make_tuple(tensor.name, std::string(tensor.kind->name), tensor.shape,
                                tensor.data.size()));
  }
  return found;
}

const io::GgufTensor& tensor_at(const io::GgufFile& file, std::size_t index) {
  if (index >= file.header().tensors.size()) {
    throw nb::index_error();
  }
  return file.header().tensors[index];
}

nb::tuple parts_of(const io::MatrixRows& rows) {
  const auto bytes = [](const std::string& part) { return nb::bytes(part.data(), part.size()); };
  return nb::make_tuple(bytes(rows.weight), bytes(rows.scales), bytes(rows.biases));
}

nb::tuple rows_of(const io::GgufFile& file, std::size_t index, std::int64_t begin, std::int64_t end,
                  std::int64_t heads, bool single) {
  const io::GgufTensor& tensor = tensor_at(file, index);
  const io::MatrixRows rows = [&] {
    const WithoutGil without_gil;
    return file.rows(tensor, {begin, end, heads}, single ? ScaleType::Single : ScaleType::Half);
  }();
  return parts_of(rows);
}

bool needs_single(const io::GgufFile& file, std::size_t index) {
  const io::GgufTensor& tensor = tensor_at(file, index);
  const WithoutGil without_gil;
  return file.scale_type(tensor) == ScaleType::Single;
}

const formats::GgufKind& affine_kind(std::string_view name) {
  for (const formats::GgufKind& kind : formats::gguf_kinds()) {
    if (kind.name == name && kind.format == formats::Format::Affine) {
      return kind;
    }
  }
  throw Error(ErrorKind::InvalidRequest,
              "[gguf] " + std::string(name) + " is no kind that is requantized; give another.");
}

/// Requantizes whole groups of float32.
nb::tuple requantize(const nb::str& kind_name, const nb::bytes& values, bool single) {
  const formats::GgufKind& kind = affine_kind(read_text(kind_name));
  const auto count = static_cast<std::int64_t>(values.size() / sizeof(float));
  if (count % kind.group_size != 0) {
    throw Error(ErrorKind::InvalidRequest, "[gguf] " + std::to_string(count) +
                                               " numbers are no whole groups; give multiples of " +
                                               std::to_string(kind.group_size) + ".");
  }
  const auto type = single ? ScaleType::Single : ScaleType::Half;
  io::MatrixRows rows;
  {
    const WithoutGil without_gil;
    const auto scales = static_cast<std::size_t>(formats::scale_bytes(kind, count, type));
    rows = {.weight = std::string(static_cast<std::size_t>(formats::weight_bytes(kind, count)), 0),
            .scales = std::string(scales, 0),
            .biases = std::string(scales, 0)};
    const auto raw = [](std::string& part) { return reinterpret_cast<std::uint8_t*>(part.data()); };
    formats::Arrays out{raw(rows.weight), raw(rows.scales), raw(rows.biases)};
    formats::requantize(kind, static_cast<const float*>(values.data()), count, type, out);
  }
  return parts_of(rows);
}

std::string_view name_of(formats::Conversion conversion) {
  switch (conversion) {
    case formats::Conversion::Copied:
      return "copied";
    case formats::Conversion::Exact:
      return "exact";
    case formats::Conversion::Requantized:
      return "requantized";
    default:
      return "";
  }
}

nb::list kinds() {
  nb::list found;
  for (const formats::GgufKind& kind : formats::gguf_kinds()) {
    const formats::QuantizedFormat* format = formats::quantized_format(kind.format);
    found.append(nb::make_tuple(
        std::string(kind.name), kind.items, kind.bytes, std::string(name_of(kind.conversion)),
        format ? std::string(format->mode) : "", kind.bits, kind.group_size, kind.decoded));
  }
  return found;
}

Made<io::GgufFile> open_file(const nb::bytes& path) {
  const std::filesystem::path name(read_bytes(path));
  return make_object<io::GgufFile>([&] {
    const WithoutGil without_gil;
    return io::GgufFile(name);
  }());
}

}  // namespace

void bind_gguf(nb::module_& m) {
  using io::GgufFile;
  nb::class_<GgufFile>(m, "GgufFile", "A mapped GGUF file of which the head was read.")
      .def(nb::new_(&open_file), "path"_a,
           "Its path by os.fsencode. Raises ModelNotFoundError, LoadError, ModelCorruptError or "
           "UnsupportedModelError for all that is wrong with it.")
      .def_prop_ro("version", [](const GgufFile& self) { return self.header().version; })
      .def_prop_ro("size", &GgufFile::size, "Bytes of the file.")
      .def("metadata", &metadata_of, nb::sig("def metadata(self) -> dict[str, object]"),
           "Its keys and values: int, float, bool, str, lists of these; bytes where a string is "
           "not UTF-8.")
      .def("tensors", &tensors_of,
           nb::sig("def tensors(self) -> list[tuple[str, str, list[int], int]]"),
           "Of each its name, kind, shape (outermost first) and bytes.")
      .def("needs_single", &needs_single, "index"_a,
           "Whether the scales of a tensor need float32. Reads it; raises ModelCorruptError where "
           "one is no finite number.")
      .def("rows", &rows_of, "index"_a, "begin"_a, "end"_a, "heads"_a, "single"_a,
           nb::sig("def rows(self, index: int, begin: int, end: int, heads: int, single: bool) -> "
                   "tuple[bytes, bytes, bytes]"),
           "Weight, scales and biases of the rows [begin, end) of a tensor as safetensors files "
           "have them, scales as float32 where `single`; blocks as they are of what is not decoded "
           "here. With `heads`, the interleaved rotary halves of so many heads are put apart.");
  m.def("gguf_kinds", &kinds,
        nb::sig("def gguf_kinds() -> list[tuple[str, int, int, str, str, int, int, bool]]"),
        "Of each kind of tensor: name, items and bytes of a block, conversion ('copied', 'exact', "
        "'requantized' or ''), the mode, bits and group size that it becomes, and whether it is "
        "decoded here.");
  m.def("gguf_requantize", &requantize, "kind"_a, "values"_a, "single"_a,
        nb::sig("def gguf_requantize(kind: str, values: bytes, single: bool) -> tuple[bytes, "
                "bytes, bytes]"),
        "Weight, scales and biases of float32 numbers, whole groups, in what a kind becomes.");
}

}  // namespace convergio::bindings
