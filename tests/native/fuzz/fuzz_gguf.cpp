// Any bytes as a GGUF file: faults that can be said, or keys and tensors that lie inside it, apart
// from each other, whose blocks are taken apart without a read or write outside them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "expect.h"
#include "formats/gguf_repack.h"
#include "io/gguf.h"

using convergio::formats::GgufKind;
using convergio::formats::ScaleType;
using convergio::io::Faults;
using convergio::io::GgufHeader;
using convergio::io::GgufTensor;
using convergio::io::GgufType;

namespace {

void expect_inside(std::span<const std::byte> part, std::span<const std::byte> file) {
  EXPECT(part.data() >= file.data() && part.data() + part.size() <= file.data() + file.size());
  unsigned sum = 0;
  for (const std::byte each : part) sum += std::to_integer<unsigned>(each);
  [[maybe_unused]] volatile unsigned keep = sum;
}

void expect_repacked(const GgufTensor& tensor) {
  const GgufKind& kind = *tensor.kind;
  const bool packed = kind.decoded && kind.bits > 0;
  if (!packed) return;
  const std::int64_t blocks = std::ssize(tensor.data) / kind.bytes;
  const auto* raw = reinterpret_cast<const std::uint8_t*>(tensor.data.data());
  const auto type = convergio::formats::scale_type(kind, raw, blocks);
  const ScaleType used = type.value_or(ScaleType::Single);
  const std::int64_t items = blocks * kind.items;
  const auto bytes = static_cast<std::size_t>(convergio::formats::scale_bytes(kind, items, used));
  std::vector<std::uint8_t> weight(
      static_cast<std::size_t>(convergio::formats::weight_bytes(kind, items)));
  std::vector<std::uint8_t> scales(bytes);
  std::vector<std::uint8_t> biases(bytes);
  convergio::formats::Arrays out{weight.data(), scales.data(), biases.data()};
  const bool finite = convergio::formats::repack(kind, raw, blocks, used, out);
  EXPECT(type || !finite || kind.conversion == convergio::formats::Conversion::Requantized);
  EXPECT(!finite || out.weight == weight.data() + weight.size());
  EXPECT(!finite || out.scales == scales.data() + scales.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size, so that one byte too far is seen.
  const std::unique_ptr<std::byte[]> copy(new std::byte[size]);
  if (size > 0) std::memcpy(copy.get(), data, size);
  const std::span<const std::byte> file(copy.get(), size);

  Faults faults;
  const GgufHeader header = read_gguf(file, "fuzz.gguf", faults);
  std::set<std::string> names;
  for (const auto& key : header.keys) {
    EXPECT(names.insert(key.name).second);
    expect_inside(key.value.data, file);
    if (key.value.item == GgufType::String) {
      EXPECT(strings_of(key.value).size() == key.value.count);
    }
  }
  if (!faults.empty()) {
    try {
      faults.raise("gguf", "fuzz", "get the file again");
    } catch (const convergio::Error& error) {
      expect_sentence(error.what());
    }
    return 0;
  }
  names.clear();
  std::size_t bytes = 0;
  for (const GgufTensor& tensor : header.tensors) {
    EXPECT(names.insert(tensor.name).second);
    expect_inside(tensor.data, file);
    std::int64_t items = 1;
    for (const std::int64_t dim : tensor.shape) items *= dim;
    EXPECT(std::ssize(tensor.data) == items / tensor.kind->items * tensor.kind->bytes);
    bytes += tensor.data.size();
    expect_repacked(tensor);
  }
  EXPECT(bytes <= size);
  return 0;
}
