#include "io/weight_files.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "io/error.h"
#include "io/file.h"
#include "io/json.h"
#include "io/text.h"

namespace convergio::io {
namespace {

namespace fs = std::filesystem;

constexpr JsonLimits kIndexLimits{.max_bytes = std::size_t{100} << 20};
constexpr std::string_view kSingleFile = "model.safetensors";

[[noreturn]] void corrupt(const std::string& fault) {
  throw Error(ErrorKind::ModelCorrupt, "[safetensors] " + std::string(kWeightIndex) + ": " + fault +
                                           "; download the checkpoint again.");
}

// A shard lies in the folder itself: an index must not lead out of it.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

WeightFiles read_index(std::string_view text) {
  WeightFiles files;
  const Json root = Json::parse(text, kWeightIndex, kIndexLimits);
  for (const auto& [tensor, shard] : root.at("weight_map").members()) {
    const std::string& file = shard.as_string();
    if (!is_plain_name(file)) {
      corrupt("tensor " + in_quotes(tensor) + " is said to be in " + in_quotes(file) +
              ", which is not the name of a file in the folder");
    }
    files.file_of.emplace(tensor, file);
    files.names.insert(file);
  }
  if (files.names.empty()) corrupt("'weight_map' names no file");
  return files;
}

WeightFiles files_by_pattern(const std::set<std::string>& names) {
  WeightFiles files;
  for (const std::string& name : names) {
    const bool prefix = name.starts_with("model") || name.starts_with("weights");
    if (prefix && name.ends_with(".safetensors")) files.names.insert(name);
  }
  return files;
}

std::set<std::string> list(const fs::path& folder) {
  std::error_code code;
  std::set<std::string> names;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    names.insert(entry->path().filename().string());
  }
  if (code) {
    throw Error(ErrorKind::LoadFailed, "[safetensors] " + printable(folder.string(), 4096) +
                                           " can't be listed (" + code.message() +
                                           "); make it readable for this user.");
  }
  return names;
}

}  // namespace

WeightFiles choose_weight_files(const std::set<std::string>& names,
                                std::optional<std::string_view> index, std::string_view where) {
  const auto is_there = [&](const std::string& name) { return names.contains(name); };
  const bool single = is_there(std::string(kSingleFile));
  std::optional<WeightFiles> indexed;
  std::optional<Error> unusable;
  if (index) {
    try {
      indexed = read_index(*index);
    } catch (const Error& error) {
      unusable = error;
    }
  }
  if (single) {
    const bool one_of_several = indexed && indexed->names.contains(std::string(kSingleFile)) &&
                                std::ranges::all_of(indexed->names, is_there);
    return one_of_several ? std::move(*indexed)
                          : WeightFiles{.names = {std::string(kSingleFile)}, .file_of = {}};
  }
  WeightFiles matching = files_by_pattern(names);
  if (indexed && (matching.names.empty() || std::ranges::any_of(indexed->names, is_there))) {
    const auto missing = std::ranges::find_if_not(indexed->names, is_there);
    if (missing != indexed->names.end()) {
      corrupt("names " + in_quotes(*missing) + ", which is not there");
    }
    return std::move(*indexed);
  }
  if (!matching.names.empty()) return matching;
  if (unusable) throw *unusable;
  throw Error(
      ErrorKind::ModelNotFound,
      "[safetensors] " + std::string(where) + " holds no " + std::string(kSingleFile) +
          " (nor an index, model*.safetensors or weights*.safetensors); give one that does.");
}

WeightFiles find_weight_files(const fs::path& folder) {
  const std::set<std::string> names = list(folder);
  const std::string where = printable(folder.string(), 4096);
  if (!names.contains(std::string(kWeightIndex))) {
    return choose_weight_files(names, std::nullopt, where);
  }
  std::optional<std::string> text;
  std::optional<Error> unreadable;
  try {
    text = read_file(folder / kWeightIndex, kIndexLimits.max_bytes);
  } catch (const Error& error) {
    unreadable = error;
  }
  try {
    return choose_weight_files(names, text, where);
  } catch (const Error& error) {  // the index counts only where nothing else names the weights
    if (unreadable && error.kind() == ErrorKind::ModelNotFound) throw *unreadable;
    throw;
  }
}

}  // namespace convergio::io
