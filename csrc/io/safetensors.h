// The tensors of a checkpoint, where they lie in their mapped files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/dtype.h"
#include "io/mmap.h"

namespace convergio::io {

// data points into file's mapping, at any alignment, bytes long (= product(shape) *
// size_of(dtype)); keep file for as long as data is used.
struct TensorView {
  std::string name;
  Dtype dtype;
  std::vector<std::int64_t> shape;
  const std::byte* data;
  std::size_t bytes;
  std::shared_ptr<const MappedFile> file;
};

// All tensors of one .safetensors file or of a folder of them.
class Checkpoint {
 public:
  // path: a folder, whose weights find_weight_files() chooses, or one .safetensors file. What is
  // there is judged by the files: an index only chooses them, and between two that both hold a
  // tensor.
  //
  // Reads headers only, no weight page. Throws Error, one for all faults found: ModelNotFound (no
  // folder, no such files), ModelCorrupt (see header.h), UnsupportedModel (nothing wrong but
  // unknown dtypes), LoadFailed (files that can't be read).
  static Checkpoint open(const std::filesystem::path& path);
  // One that is not written yet: its tensors have no data and no file.
  static Checkpoint planned(std::vector<TensorView> tensors);

  const std::map<std::string, TensorView, std::less<>>& tensors() const { return tensors_; }
  const TensorView* find(std::string_view name) const;  // nullptr when there is none
  std::size_t total_bytes() const;                      // of all tensors, without headers
  std::size_t resident_bytes() const;                   // see MappedFile
  void check_undamaged() const;                         // of each MappedFile
  void check_sizes() const;                             // likewise
  // The "__metadata__" strings; where shards disagree the first shard's.
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }

 private:
  Checkpoint() = default;

  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::map<std::string, TensorView, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

}  // namespace convergio::io
