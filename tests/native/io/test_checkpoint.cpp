#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "check.h"
#include "io/files.h"
#include "io/safetensors.h"

using convergio::io::Checkpoint;
using convergio::io::Dtype;
using convergio::io::TensorView;

namespace {

constexpr std::string_view index_name = "model.safetensors.index.json";

// A file of U8 tensors, each of one byte: its name's first letter.
std::string bytes_of(std::initializer_list<std::string_view> names) {
  std::string header = R"({"__metadata__":{"format":"mlx"})";
  std::string data;
  for (const std::string_view name : names) {
    header += ",\"" + std::string(name) + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
              std::to_string(data.size()) + "," + std::to_string(data.size() + 1) + "]}";
    data += name.front();
  }
  return safetensors(header + "}", data);
}

std::string fault(std::string_view what) {
  return "[safetensors] " + std::string(what) + "; download the checkpoint again.";
}

}  // namespace

TEST(checkpoint_of_one_file) {
  const TemporaryFolder folder;
  folder.write("model.safetensors", bytes_of({"b", "a"}));
  folder.write("model-00001-of-00002.safetensors", bytes_of({"other"}));
  for (const auto& path : {folder.path(), folder.path() / "model.safetensors"}) {
    const Checkpoint checkpoint = Checkpoint::open(path);
    CHECK_EQ(checkpoint.tensors().size(), 2);
    CHECK_EQ(checkpoint.total_bytes(), 2);
    CHECK_EQ(checkpoint.metadata().at("format"), "mlx");
    CHECK(checkpoint.find("other") == nullptr);
    const TensorView* b = checkpoint.find("b");
    CHECK(b != nullptr && b->dtype == Dtype::U8 && static_cast<char>(*b->data) == 'b');
    CHECK(checkpoint.resident_bytes() > 0);
  }
}

TEST(checkpoint_opened_by_a_bare_file_name) {
  const TemporaryFolder folder;
  folder.write("x.safetensors", bytes_of({"a"}));
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  CHECK_EQ(Checkpoint::open("x.safetensors").tensors().size(), 1);
  std::filesystem::current_path(before);
}

TEST(checkpoint_of_shards_with_an_index) {
  const TemporaryFolder folder;
  folder.write("one.safetensors", bytes_of({"a", "c"}));
  folder.write("two.safetensors", bytes_of({"b"}));
  folder.write("consolidated.safetensors", "not looked at");
  folder.write(index_name, R"({"metadata":{"total_size":3},"weight_map":
    {"a":"one.safetensors","b":"two.safetensors","c":"one.safetensors"}})");
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  CHECK_EQ(checkpoint.tensors().size(), 3);
  CHECK_EQ(checkpoint.find("b")->file->path(), folder.path() / "two.safetensors");
}

TEST(checkpoint_of_shards_without_an_index) {
  const TemporaryFolder folder;
  folder.write("model-1.safetensors", bytes_of({"a"}));
  folder.write("weights.00.safetensors", bytes_of({"b"}));
  folder.write("consolidated.safetensors", "not looked at");
  CHECK_EQ(Checkpoint::open(folder.path()).tensors().size(), 2);
}

TEST(a_tensor_outlives_its_checkpoint) {
  const TemporaryFolder folder;
  folder.write("model.safetensors", bytes_of({"a"}));
  const TensorView kept = *Checkpoint::open(folder.path()).find("a");
  CHECK_EQ(static_cast<char>(*kept.data), 'a');
}

TEST(links_to_files_elsewhere_are_followed) {
  const TemporaryFolder blobs;
  const TemporaryFolder folder;
  std::filesystem::create_symlink(blobs.write("blob", bytes_of({"a"})),
                                  folder.path() / "model.safetensors");
  CHECK_EQ(Checkpoint::open(folder.path()).tensors().size(), 1);
}

TEST(nothing_to_open) {
  CHECK_THROWS(Checkpoint::open("/nowhere"), ModelNotFound,
               "[safetensors] /nowhere does not exist; give a folder with safetensors files.");
  const TemporaryFolder folder;
  folder.write("config.json", "{}");
  CHECK_THROWS(Checkpoint::open(folder.path()), ModelNotFound,
               "[safetensors] " + folder.path().string() +
                   " holds no model.safetensors (nor an index, model*.safetensors or "
                   "weights*.safetensors); give one that does.");
}

TEST(a_folder_without_read_permission_says_so) {
  for (const int mode : {0000, 0111}) {
    const TemporaryFolder folder;
    folder.write("model-1.safetensors", bytes_of({"a"}));
    std::filesystem::permissions(folder.path(), std::filesystem::perms(mode));
    const NoPrivileges lowered;
    CHECK_THROWS(Checkpoint::open(folder.path()), LoadFailed,
                 "[safetensors] " + folder.path().string() +
                     " can't be listed (Permission denied); make it readable for this user.");
  }
}

TEST(a_truncated_file) {
  const TemporaryFolder folder;
  std::string file = bytes_of({"a", "b", "c"});
  file.resize(file.size() - 1);
  folder.write("model.safetensors", file);
  CHECK_THROWS(Checkpoint::open(folder.path()), ModelCorrupt,
               "[safetensors] model.safetensors: tensor 'c' ends at byte " +
                   std::to_string(file.size() + 1) + " but the file has " +
                   std::to_string(file.size()) + "; download the file again.");
}

TEST(an_unknown_dtype) {
  const TemporaryFolder folder;
  folder.write("model.safetensors",
               safetensors(R"({"a":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}})", 3));
  CHECK_THROWS(Checkpoint::open(folder.path()), UnsupportedModel,
               "[safetensors] model.safetensors: tensor 'a' has the unknown dtype 'F6_E2M3'; use a "
               "checkpoint of dtypes such as BF16, F16, F32 and U32.");
}

TEST(an_index_that_is_wrong_about_tensors_does_not_make_sound_files_wrong) {
  const TemporaryFolder folder;
  folder.write("one.safetensors", bytes_of({"a", "extra"}));
  folder.write("two.safetensors", bytes_of({"b"}));
  folder.write(index_name, R"({"weight_map":{"a":"two.safetensors","b":"two.safetensors",
    "c":"one.safetensors"}})");
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  CHECK_EQ(checkpoint.tensors().size(), 3);
  CHECK_EQ(checkpoint.find("a")->file->path(), folder.path() / "one.safetensors");
}

TEST(an_index_says_which_of_two_files_a_tensor_is_read_from) {
  for (const char* name : {"1.safetensors", "2.safetensors"}) {
    const TemporaryFolder folder;
    folder.write("1.safetensors", bytes_of({"a", "b"}));
    folder.write("2.safetensors", bytes_of({"a", "c"}));
    folder.write(index_name, R"({"weight_map":{"a":")" + std::string(name) +
                                 R"(","b":"1.safetensors","c":"2.safetensors"}})");
    CHECK_EQ(Checkpoint::open(folder.path()).find("a")->file->path(), folder.path() / name);
  }
}

TEST(a_tensor_in_two_shards) {
  const TemporaryFolder folder;
  folder.write("model-1.safetensors", bytes_of({"a"}));
  folder.write("model-2.safetensors", bytes_of({"a"}));
  CHECK_THROWS(Checkpoint::open(folder.path()), ModelCorrupt,
               fault("model-2.safetensors: tensor 'a' is in model-1.safetensors too"));
}

TEST(a_damaged_shard_does_not_drown_its_fault_in_missing_tensors) {
  const TemporaryFolder folder;
  folder.write("one.safetensors", bytes_of({"a"}));
  folder.write("two.safetensors", bytes_of({"b"}).substr(0, 20));
  folder.write(index_name, R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  CHECK_THROWS(Checkpoint::open(folder.path()), ModelCorrupt,
               fault("two.safetensors: claims a header of " +
                     std::to_string(bytes_of({"b"}).size() - 9) + " bytes but only 12 follow"));
}

// Of a gigabyte of data that is a hole in the file, and so in no cache before it is read.
TEST(opening_reads_no_weights) {
  const TemporaryFolder folder;
  constexpr std::size_t size = std::size_t{1} << 30;
  const std::string header =
      safetensors(R"({"a":{"dtype":"U8","shape":[1073741824],"data_offsets":[0,1073741824]}})");
  std::filesystem::resize_file(folder.write("model.safetensors", header), header.size() + size);
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  CHECK_EQ(checkpoint.total_bytes(), size);
  const std::size_t opened = checkpoint.resident_bytes();
  CHECK(opened < size / 32);  // the header and the system's read-ahead of some megabytes
  CHECK_EQ(checkpoint.find("a")->data[size / 2], std::byte{0});
  CHECK(checkpoint.resident_bytes() > opened);
}
