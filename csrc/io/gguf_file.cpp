#include "io/gguf_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "io/error.h"
#include "io/text.h"

namespace convergio::io {
namespace {

constexpr const char* kRemedy = "get the file again";

const std::uint8_t* raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

std::uint8_t* raw(std::string& bytes) { return reinterpret_cast<std::uint8_t*>(bytes.data()); }

// What is converted by others, or not at all, is given as it is.
bool is_copied(const formats::GgufKind& kind) {
  return !kind.decoded || kind.format == formats::Format::Dense;
}

// The file's row for a row of heads whose halves lie one after the other.
std::int64_t source_row(std::int64_t row, std::int64_t rows, std::int64_t heads) {
  if (heads == 0) return row;
  const std::int64_t dims = rows / heads;
  const std::int64_t at = row % dims;
  return row - at + at % (dims / 2) * 2 + at / (dims / 2);
}

}  // namespace

GgufFile::GgufFile(const std::filesystem::path& path)
    : file_(path), name_(printable(path.filename().string())) {
  Faults faults;
  header_ = read_gguf({file_.data(), file_.size()}, name_, faults);
  if (!faults.empty()) {
    faults.raise("gguf", name_,
                 faults.kind() == ErrorKind::UnsupportedModel ? "take a file that llama.cpp wrote "
                                                                "on a little-endian machine since "
                                                                "September 2023"
                                                              : kRemedy);
  }
}

formats::ScaleType GgufFile::scale_type(const GgufTensor& tensor) const {
  if (is_copied(*tensor.kind)) return formats::ScaleType::Half;
  const std::int64_t blocks = std::ssize(tensor.data) / tensor.kind->bytes;
  const auto type = formats::scale_type(*tensor.kind, raw(tensor.data), blocks);
  release(tensor.data);
  if (!type) not_finite(tensor);
  return *type;
}

MatrixRows GgufFile::rows(const GgufTensor& tensor, RowRange range, formats::ScaleType type) const {
  const formats::GgufKind& kind = *tensor.kind;
  const std::int64_t cols = tensor.shape.size() == 1 ? kind.items : tensor.shape.back();
  const std::int64_t row_bytes = cols / kind.items * kind.bytes;
  const std::int64_t rows = std::ssize(tensor.data) / row_bytes;
  if (range.begin < 0 || range.end < range.begin || range.end > rows || range.heads < 0 ||
      (range.heads > 0 && rows % (2 * range.heads) != 0)) {
    throw Error(ErrorKind::InvalidRequest,
                "[gguf] rows " + std::to_string(range.begin) + " to " + std::to_string(range.end) +
                    " of " + std::to_string(range.heads) + " heads are asked for, and tensor " +
                    in_quotes(tensor.name) + " has " + std::to_string(rows) +
                    "; give rows of it and heads of an even number of rows.");
  }
  const std::int64_t items = (range.end - range.begin) * cols;
  const bool copied = is_copied(kind);
  MatrixRows out;
  out.weight.resize(static_cast<std::size_t>(copied ? (range.end - range.begin) * row_bytes
                                                    : formats::weight_bytes(kind, items)));
  if (const auto* format = formats::quantized_format(kind.format); format && !copied) {
    const auto bytes = static_cast<std::size_t>(formats::scale_bytes(kind, items, type));
    out.scales.resize(bytes);
    out.biases.resize(format->has_biases() ? bytes : 0);
  }
  formats::Arrays arrays{raw(out.weight), raw(out.scales), raw(out.biases)};
  bool finite = true;
  for (std::int64_t row = range.begin; row < range.end; ++row) {
    const std::uint8_t* source = raw(tensor.data) + source_row(row, rows, range.heads) * row_bytes;
    if (copied) {
      arrays.weight = std::copy_n(source, row_bytes, arrays.weight);
    } else {
      finite &= formats::repack(kind, source, cols / kind.items, type, arrays);
    }
  }
  release(tensor.data.subspan(static_cast<std::size_t>(range.begin * row_bytes),
                              static_cast<std::size_t>((range.end - range.begin) * row_bytes)));
  file_.check_undamaged();
  if (!finite) not_finite(tensor);
  return out;
}

void GgufFile::not_finite(const GgufTensor& tensor) const {
  file_.check_undamaged();
  throw Error(ErrorKind::ModelCorrupt, "[gguf] " + name_ + ": tensor " + in_quotes(tensor.name) +
                                           " has a scale that is no finite number; " + kRemedy +
                                           ".");
}

// The pages stay in the system's cache; the process no longer counts them as its own.
void GgufFile::release(std::span<const std::byte> bytes) const {
  const std::size_t page = page_size();
  const auto offset = static_cast<std::size_t>(bytes.data() - file_.data());
  const std::size_t begin = offset / page * page;
  ::madvise(const_cast<std::byte*>(file_.data()) + begin, offset + bytes.size() - begin,
            MADV_DONTNEED);
}

}  // namespace convergio::io
