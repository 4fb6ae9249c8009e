// Any bytes as a safetensors file: faults that can be said, or tensors that lie inside it, fit
// their shapes and cover it.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <string>

#include "expect.h"
#include "io/header.h"

using convergio::io::Faults;
using convergio::io::Header;
using convergio::io::TensorView;

namespace {

// Every byte of a good tensor is touched, so that the sanitizer sees one outside the file.
std::size_t expect_tensor(const TensorView& tensor, std::span<const std::byte> file) {
  EXPECT(tensor.data >= file.data() && tensor.data + tensor.bytes <= file.data() + file.size());
  std::uint64_t elements = 1;
  for (const std::int64_t dim : tensor.shape) {
    EXPECT(dim >= 0);
    elements *= static_cast<std::uint64_t>(dim);
  }
  EXPECT(tensor.bytes == elements * size_of(tensor.dtype));
  unsigned sum = 0;
  for (std::size_t i = 0; i < tensor.bytes; ++i) sum += std::to_integer<unsigned>(tensor.data[i]);
  [[maybe_unused]] volatile unsigned keep = sum;
  return tensor.bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size, so that one byte too far is seen.
  const std::unique_ptr<std::byte[]> copy(new std::byte[size]);
  if (size > 0) std::memcpy(copy.get(), data, size);
  const std::span<const std::byte> file(copy.get(), size);

  Faults faults;
  const Header header = read_header(file, "fuzz.safetensors", faults);
  std::set<std::string> names;
  std::size_t bytes = 0;
  for (const TensorView& tensor : header.tensors) {
    EXPECT(names.insert(tensor.name).second);
    bytes += expect_tensor(tensor, file);
  }
  if (faults.empty()) {
    std::uint64_t header_bytes = 0;
    for (std::size_t i = 8; i-- > 0;) header_bytes = header_bytes << 8 | data[i];
    EXPECT(bytes == size - 8 - header_bytes);
  } else {
    try {
      faults.raise("safetensors", "fuzz", "download the file again");
    } catch (const convergio::Error& error) {
      expect_sentence(error.what());
    }
  }
  return 0;
}
