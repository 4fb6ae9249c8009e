// Any bytes as the index of a folder with two good shards: a clean error, or a checkpoint of
// exactly their tensors.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "expect.h"
#include "io/error.h"
#include "io/files.h"
#include "io/safetensors.h"

using convergio::io::Checkpoint;

namespace {

std::string shard(std::string_view first, std::string_view second) {
  const auto entry = [](std::string_view name, std::string_view offsets) {
    return "\"" + std::string(name) + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
           std::string(offsets) + "]}";
  };
  return safetensors("{" + entry(first, "0,1") + "," + entry(second, "1,2") + "}", "xy");
}

const TemporaryFolder& folder_of_shards() {
  static const TemporaryFolder folder;
  static const bool written = [] {
    folder.write("1.safetensors", shard("a", "b"));
    folder.write("2.safetensors", shard("c", "d"));
    return true;
  }();
  EXPECT(written);
  return folder;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const TemporaryFolder& folder = folder_of_shards();
  folder.write("model.safetensors.index.json", {reinterpret_cast<const char*>(data), size});
  try {
    const Checkpoint checkpoint = Checkpoint::open(folder.path());
    // An index that names one shard, or none, opens that much.
    EXPECT(checkpoint.tensors().size() % 2 == 0);
    EXPECT(checkpoint.total_bytes() == checkpoint.tensors().size());
    for (const char* pair : {"ab", "cd"}) {
      const bool first = checkpoint.find({pair, 1}) != nullptr;
      const bool second = checkpoint.find({pair + 1, 1}) != nullptr;
      EXPECT(first == second);
    }
  } catch (const convergio::Error& error) {
    expect_sentence(error.what());
  }
  return 0;
}
