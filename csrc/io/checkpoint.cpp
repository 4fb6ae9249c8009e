// A folder's shards, opened together.
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "io/faults.h"
#include "io/header.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "io/text.h"

namespace convergio::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view index_name = "model.safetensors.index.json";

struct Index {
  std::map<std::string, std::string, std::less<>> file_of;  // tensor → shard
  std::set<std::string> files;
};

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

bool is_there(const fs::path& path) { return type_of(path) != fs::file_type::not_found; }

// A shard lies in the folder itself: an index must not lead out of it.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

Index read_index(const fs::path& folder, Faults& faults) {
  const std::string who(index_name);
  const JsonLimits limits{.max_bytes = std::size_t{100} << 20};
  Index index;
  const Json root = Json::read(folder / index_name, limits);
  for (const auto& [tensor, shard] : root.at("weight_map").members()) {
    const std::string& file = shard.as_string();
    if (!is_plain_name(file)) {
      faults.add(who + ": tensor " + in_quotes(tensor) + " is said to be in " + in_quotes(file) +
                 ", which is not the name of a file in the folder");
      continue;
    }
    index.file_of.emplace(tensor, file);
    if (!index.files.insert(file).second || is_there(folder / file)) continue;
    faults.add(who + ": names " + in_quotes(file) + ", which is not in the folder");
  }
  std::erase_if(index.files, [&](const std::string& file) { return !is_there(folder / file); });
  return index;
}

// model*.safetensors and weights*.safetensors, by name.
std::set<std::string> files_by_pattern(const fs::path& folder) {
  std::error_code code;
  std::set<std::string> files;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    const bool prefix = name.starts_with("model") || name.starts_with("weights");
    if (prefix && name.ends_with(".safetensors")) files.insert(name);
  }
  if (code) {
    throw Error(ErrorKind::LoadFailed, "[safetensors] " + shown(folder) + " can't be listed (" +
                                           code.message() + "); make it readable for this user.");
  }
  return files;
}

// What shards hold and the index leaves out, and what it promises and they lack.
void compare(const Index& index, const std::map<std::string, TensorView, std::less<>>& tensors,
             const std::set<std::string>& unreadable, Faults& faults) {
  const std::string who(index_name);
  for (const auto& [name, tensor] : tensors) {
    const std::string file = tensor.file->path().filename().string();
    const auto entry = index.file_of.find(name);
    if (entry == index.file_of.end()) {
      faults.add(who + ": does not list tensor " + in_quotes(name) + " of " + printable(file));
    } else if (entry->second != file && index.files.contains(entry->second)) {
      faults.add(who + ": tensor " + in_quotes(name) + " is said to be in " +
                 in_quotes(entry->second) + " but is in " + printable(file));
    }
  }
  for (const auto& [name, file] : index.file_of) {
    if (tensors.contains(name) || !index.files.contains(file) || unreadable.contains(file))
      continue;
    faults.add(who + ": tensor " + in_quotes(name) + " is said to be in " + in_quotes(file) +
               ", which does not hold it");
  }
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

  Faults faults;
  std::optional<Index> index;
  std::set<std::string> names;
  if (!is_folder) {
    names = {path.filename().string()};
  } else if (is_there(folder / index_name)) {
    index = read_index(folder, faults);
    names = index->files;
  } else if (is_there(folder / "model.safetensors")) {
    names = {"model.safetensors"};
  } else {
    names = files_by_pattern(folder);
    if (names.empty()) {
      throw Error(ErrorKind::ModelNotFound,
                  "[safetensors] " + shown(folder) + " holds no model.safetensors" +
                      " (nor model*.safetensors, weights*.safetensors); give a folder that does.");
    }
  }

  Checkpoint checkpoint;
  std::set<std::string> unreadable;
  for (const std::string& name : names) {
    const auto file = std::make_shared<const MappedFile>(folder / name);
    const std::size_t before = faults.size();
    Header header = read_header({file->data(), file->size()}, printable(name), faults);
    if (faults.size() != before) unreadable.insert(name);
    for (TensorView& tensor : header.tensors) {
      tensor.file = file;
      const auto [twin, is_new] = checkpoint.tensors_.try_emplace(tensor.name, tensor);
      if (!is_new) {
        faults.add(printable(name) + ": tensor " + in_quotes(tensor.name) + " is in " +
                   printable(twin->second.file->path().filename().string()) + " too");
      }
    }
    checkpoint.metadata_.merge(header.metadata);
    checkpoint.files_.push_back(file);
  }
  if (index) compare(*index, checkpoint.tensors_, unreadable, faults);
  if (!faults.empty()) {
    std::string_view remedy = "download the file again";
    if (index || names.size() > 1) remedy = "download the checkpoint again";
    if (faults.kind() == ErrorKind::UnsupportedModel) {
      remedy = "use a checkpoint of dtypes such as BF16, F16, F32 and U32";
    }
    faults.raise("safetensors", shown(path), remedy);
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

std::size_t Checkpoint::resident_bytes() const {
  std::size_t sum = 0;
  for (const auto& file : files_) sum += file->resident_bytes();
  return sum;
}

}  // namespace convergio::io
