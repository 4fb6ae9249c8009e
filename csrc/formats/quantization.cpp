#include "formats/quantization.h"

namespace convergio::formats {

namespace {

std::string joined(std::span<const int> numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    text += i == 0 ? "" : i + 1 == numbers.size() ? " or " : ", ";
    text += std::to_string(numbers[i]);
  }
  return text;
}

}  // namespace

std::string modes_text() {
  std::string text;
  for (const QuantizedFormat& row : kQuantizedFormats) {
    text += (text.empty() ? "" : ", ") + std::string(row.mode);
  }
  return text;
}

std::string supported_text(const QuantizedFormat& format) {
  return joined(format.bits) + " bits with groups of " + joined(format.group_sizes);
}

}  // namespace convergio::formats
