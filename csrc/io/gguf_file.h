// One GGUF file, mapped, and its tensors as the engine's formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/gguf_repack.h"
#include "io/gguf.h"
#include "io/mmap.h"

namespace convergio::io {

// A part of a matrix as safetensors files have it; scales and biases are empty where the format has
// none.
struct MatrixRows {
  std::string weight;
  std::string scales;
  std::string biases;
};

// Rows of a tensor: [begin, end) of the rows as they are to be. Where `heads` is not 0 they are
// those of so many heads, whose rotary halves the file has interleaved.
struct RowRange {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t heads = 0;
};

class GgufFile {
 public:
  // Reads the head alone. Throws Error: ModelNotFound, LoadFailed (as MappedFile), ModelCorrupt or
  // UnsupportedModel for all that is wrong with it.
  explicit GgufFile(const std::filesystem::path& path);

  const GgufHeader& header() const { return header_; }
  std::size_t size() const { return file_.size(); }

  // What a tensor's scales need. Throws Error (ModelCorrupt) where one is no finite number.
  formats::ScaleType scale_type(const GgufTensor& tensor) const;

  // Rows as they are to be stored; of a kind that is not decoded here their blocks, as weight. Lets
  // go of the file's pages that they came from. Throws Error (ModelCorrupt) where a scale is no
  // finite number, or the file was cut off meanwhile.
  MatrixRows rows(const GgufTensor& tensor, RowRange range, formats::ScaleType type) const;

 private:
  [[noreturn]] void not_finite(const GgufTensor& tensor) const;
  void release(std::span<const std::byte> bytes) const;

  MappedFile file_;
  std::string name_;
  GgufHeader header_;
};

}  // namespace convergio::io
