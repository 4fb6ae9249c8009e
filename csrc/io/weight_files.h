// Which files of a folder or repository hold a model's weights: one decision for all who load,
// download or measure them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace convergio::io {

inline constexpr std::string_view kWeightIndex = "model.safetensors.index.json";

struct WeightFiles {
  std::set<std::string> names;
  // tensor → file, as the index says; empty where it was not used
  std::map<std::string, std::string, std::less<>> file_of;
};

// names: all files of the folder or repository. index: the text of kWeightIndex, where it is there.
//
// model.safetensors is the model wherever it is there, as in transformers, unless the index names
// more files beside it and all are there. Else the files that the index names; where it is not
// usable or none of them is there, every model*.safetensors and weights*.safetensors. Throws Error
// (ModelCorrupt) where some of the index's files are there and others are not, or where it is all
// there is and not usable; (ModelNotFound) where there are no weights. `where` is how messages call
// the folder or repository.
WeightFiles choose_weight_files(const std::set<std::string>& names,
                                std::optional<std::string_view> index, std::string_view where);

// The same for a folder on disk. Also throws Error (LoadFailed) where it can't be listed or the
// index can't be read.
WeightFiles find_weight_files(const std::filesystem::path& folder);

}  // namespace convergio::io
