#include "io/weight_files.h"

#include <sys/stat.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "check.h"
#include "io/files.h"

using convergio::io::choose_weight_files;
using convergio::io::find_weight_files;

namespace {

using Names = std::set<std::string>;

// An index of one tensor for each file.
std::string index_of(const Names& files) {
  std::string map;
  for (const std::string& file : files) {
    map += (map.empty() ? "" : ",") + ("\"of " + file + "\":\"" + file + "\"");
  }
  return R"({"metadata":{"total_size":3},"weight_map":{)" + map + "}}";
}

Names chosen(Names names, const std::optional<std::string>& index = std::nullopt) {
  names.insert({"config.json", "tokenizer.json"});
  return choose_weight_files(names, index, "here").names;
}

const Names kPair{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
const Names kSingle{"model.safetensors"};

std::string fault(std::string_view what) {
  return "[safetensors] model.safetensors.index.json: " + std::string(what) +
         "; download the checkpoint again.";
}

}  // namespace

TEST(a_single_file_is_the_model_whatever_lies_beside_it) {
  Names names = kPair;
  names.insert({"model.safetensors", "consolidated.safetensors", "adapters.safetensors",
                "model.fp16.safetensors", "weights.safetensors"});
  CHECK(chosen(names) == kSingle);
  CHECK(chosen(names, index_of(kPair)) == kSingle);
  CHECK(chosen(kSingle, index_of(kSingle)) == kSingle);
}

TEST(a_stale_or_broken_index_beside_a_single_file_is_not_looked_at) {
  for (const std::string& index :
       {index_of(kPair), index_of({"model.safetensors", "gone.safetensors"}), std::string(),
        std::string("{"), std::string("[]"), index_of({"../model.safetensors"})}) {
    CHECK(chosen(kSingle, index) == kSingle);
  }
}

TEST(an_index_adds_files_to_a_single_one_that_it_names) {
  const Names both{"model.safetensors", "more.safetensors"};
  CHECK(chosen(both, index_of(both)) == both);
}

TEST(shards_have_any_name_that_the_index_gives) {
  const Names odd{"part one", "part two.bin"};
  Names names = odd;
  names.insert({"consolidated.safetensors", "model-adapter.safetensors"});
  CHECK(chosen(names, index_of(odd)) == odd);
}

TEST(an_index_of_files_that_are_all_gone_gives_way_to_those_that_are_there) {
  CHECK(chosen(kPair, index_of({"model-00001-of-00003.safetensors", "x"})) == kPair);
  CHECK(chosen(kPair, "{") == kPair);
}

TEST(without_an_index_names_that_begin_with_model_or_weights_count) {
  const Names names{"model-1.safetensors", "weights.00.safetensors"};
  Names more = names;
  more.insert({"consolidated.safetensors", "adapters.safetensors", "model.bin", "x.safetensors"});
  CHECK(chosen(more) == names);
}

TEST(an_index_some_of_whose_files_are_gone_says_which) {
  CHECK_THROWS(chosen({"model-00001-of-00002.safetensors"}, index_of(kPair)), ModelCorrupt,
               fault("names 'model-00002-of-00002.safetensors', which is not there"));
  CHECK_THROWS(chosen({}, index_of({"a", "b"})), ModelCorrupt,
               fault("names 'a', which is not there"));
}

TEST(no_weights_at_all) {
  CHECK_THROWS(chosen({"consolidated.safetensors"}), ModelNotFound,
               "[safetensors] here holds no model.safetensors (nor an index, model*.safetensors or "
               "weights*.safetensors); give one that does.");
}

TEST(an_unusable_index_alone_says_what_is_wrong_with_it) {
  CHECK_THROWS(chosen({}, R"({"metadata":{}})"), ModelCorrupt,
               "[json] model.safetensors.index.json has no member 'weight_map'; correct the file "
               "or download it again.");
  CHECK_THROWS(chosen({}, R"({"weight_map":{"a":1}})"), ModelCorrupt,
               "[json] model.safetensors.index.json: 'weight_map.a' must be a string but is the "
               "integer 1; correct the file or download it again.");
  CHECK_THROWS(chosen({}, R"({"weight_map":{}})"), ModelCorrupt,
               fault("'weight_map' names no file"));
}

TEST(an_index_may_not_lead_out_of_its_folder) {
  for (const char* name : {"/etc/passwd", "../x/x.safetensors", "..", ".", "", "a/b"}) {
    CHECK_THROWS(chosen({"x.safetensors"}, R"({"weight_map":{"a":")" + std::string(name) + "\"}}"),
                 ModelCorrupt,
                 fault("tensor 'a' is said to be in '" + std::string(name) +
                       "', which is not the name of a file in the folder"));
  }
}

TEST(a_folder_is_chosen_from_as_its_names_are) {
  const TemporaryFolder folder;
  folder.write("one", "");
  folder.write("two", "");
  folder.write("model.safetensors.index.json", index_of({"one", "two"}));
  const auto files = find_weight_files(folder.path());
  CHECK(files.names == (Names{"one", "two"}));
  CHECK_EQ(files.file_of.find("of one")->second, "one");
}

TEST(an_index_that_cannot_be_read_counts_only_where_nothing_else_names_the_weights) {
  const TemporaryFolder folder;
  const std::filesystem::path index = folder.path() / "model.safetensors.index.json";
  CHECK_EQ(::mkfifo(index.c_str(), 0600), 0);
  CHECK_THROWS(find_weight_files(folder.path()), LoadFailed,
               "[file] " + index.string() + " is not a regular file; give the path of a file.");
  folder.write("model-1.safetensors", "");
  CHECK(find_weight_files(folder.path()).names == (Names{"model-1.safetensors"}));
}
