// A folder's shards, opened together.
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "io/faults.h"
#include "io/header.h"
#include "io/safetensors.h"
#include "io/text.h"
#include "io/weight_files.h"

namespace convergio::io {
namespace {

namespace fs = std::filesystem;

std::string shown(const fs::path& path) { return printable(path.string(), 4096); }

fs::file_type type_of(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (status.type() == fs::file_type::none || status.type() == fs::file_type::unknown) {
    throw Error(ErrorKind::LoadFailed, "[safetensors] " + shown(path) + " can't be examined (" +
                                           code.message() +
                                           "); check its name and the permissions.");
  }
  return status.type();
}

}  // namespace

Checkpoint Checkpoint::open(const std::filesystem::path& path) {
  const fs::file_type type = type_of(path);
  if (type == fs::file_type::not_found) {
    throw Error(
        ErrorKind::ModelNotFound,
        "[safetensors] " + shown(path) + " does not exist; give a folder with safetensors files.");
  }
  const bool is_folder = type == fs::file_type::directory;
  const fs::path folder = is_folder ? path : path.parent_path();
  const WeightFiles chosen = is_folder
                                 ? find_weight_files(folder)
                                 : WeightFiles{.names = {path.filename().string()}, .file_of = {}};

  Faults faults;
  Checkpoint checkpoint;
  const auto name_of_file = [](const TensorView& tensor) {
    return tensor.file->path().filename().string();
  };
  for (const std::string& name : chosen.names) {
    const auto file = std::make_shared<const MappedFile>(folder / name);
    Header header = read_header({file->data(), file->size()}, printable(name), faults);
    for (TensorView& tensor : header.tensors) {
      tensor.file = file;
      const auto [twin, is_new] = checkpoint.tensors_.try_emplace(tensor.name, tensor);
      if (is_new) continue;
      const auto indexed = chosen.file_of.find(tensor.name);
      if (indexed == chosen.file_of.end()) {
        faults.add(printable(name) + ": tensor " + in_quotes(tensor.name) + " is in " +
                   printable(name_of_file(twin->second)) + " too");
      } else if (indexed->second == name) {
        twin->second = tensor;
      }
    }
    checkpoint.metadata_.merge(header.metadata);
    checkpoint.files_.push_back(file);
  }
  checkpoint.check_undamaged();
  if (!faults.empty()) {
    std::string_view remedy = "download the file again";
    if (chosen.names.size() > 1) remedy = "download the checkpoint again";
    if (faults.kind() == ErrorKind::UnsupportedModel) {
      remedy = "use a checkpoint of dtypes such as BF16, F16, F32 and U32";
    }
    faults.raise("safetensors", shown(path), remedy);
  }
  return checkpoint;
}

Checkpoint Checkpoint::planned(std::vector<TensorView> tensors) {
  Checkpoint checkpoint;
  for (TensorView& tensor : tensors) {
    std::string name = tensor.name;
    checkpoint.tensors_.emplace(std::move(name), std::move(tensor));
  }
  return checkpoint;
}

const TensorView* Checkpoint::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::size_t Checkpoint::total_bytes() const {
  std::size_t sum = 0;
  for (const auto& [name, tensor] : tensors_) sum += tensor.bytes;
  return sum;
}

void Checkpoint::check_undamaged() const {
  for (const auto& file : files_) file->check_undamaged();
}

void Checkpoint::check_sizes() const {
  for (const auto& file : files_) file->check_size();
}

std::size_t Checkpoint::resident_bytes() const {
  std::size_t sum = 0;
  for (const auto& file : files_) sum += file->resident_bytes();
  return sum;
}

}  // namespace convergio::io
