// Wrong on purpose, each in its way: what must stop a run does.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "expect.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto bytes = std::make_unique<std::uint8_t[]>(size + 1);
  volatile std::uint8_t* const first = bytes.get();
  volatile int number = 0x7FFFFFFF;
  volatile bool looping = text == "hang";
  if (text == "overrun") first[size + 1] = 1;
  if (text == "overflow") number = number + 1;
  if (text == "leap") EXPECT(size == 0);
  if (text == "hoard") std::make_unique<std::uint8_t[]>(std::size_t{1} << 30)[size] = first[0];
  while (looping) continue;
  return 0;
}
