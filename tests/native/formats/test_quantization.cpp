#include "formats/quantization.h"

#include "check.h"

namespace convergio::formats {

TEST(every_mode_finds_its_row_and_every_format_too) {
  for (const QuantizedFormat& row : kQuantizedFormats) {
    CHECK(quantized_format(row.mode) == &row);
    CHECK(quantized_format(row.format) == &row);
  }
  CHECK(quantized_format("mxfp6") == nullptr);
  CHECK(quantized_format(Format::Dense) == nullptr);
}

TEST(the_defaults_of_a_format_are_supported) {
  for (const QuantizedFormat& row : kQuantizedFormats) {
    CHECK(row.supports(row.default_bits, row.default_group_size));
  }
}

TEST(what_a_row_does_not_list_is_not_supported) {
  const QuantizedFormat& affine = *quantized_format("affine");
  CHECK(affine.supports(3, 128));
  CHECK(!affine.supports(7, 64));
  CHECK(!affine.supports(4, 16));
  CHECK(!quantized_format("nvfp4")->supports(4, 32));
}

TEST(what_is_supported_is_said_in_words) {
  CHECK(modes_text() == "affine, mxfp4, mxfp8, nvfp4");
  CHECK(supported_text(*quantized_format("affine")) ==
        "2, 3, 4, 5, 6 or 8 bits with groups of 32, 64 or 128");
  CHECK(supported_text(*quantized_format("mxfp8")) == "8 bits with groups of 32");
}

}  // namespace convergio::formats
