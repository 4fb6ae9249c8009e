// The header of one safetensors file.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/faults.h"
#include "io/safetensors.h"

namespace convergio::io {

struct Header {
  std::vector<TensorView> tensors;  // in the order of the header; no file set
  std::map<std::string, std::string, std::less<>> metadata;
};

// file: all bytes of a safetensors file, of which only the header is read; name: how faults call
// it. What is wrong is added to faults, and what could be understood is returned.
//
// The format: 8 bytes of header length (little-endian), that many bytes of a JSON object
// {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …,
//  "__metadata__": {"key": "string"}}, then the data, which the tensors cover from the first byte
// to the last without gap or overlap.
Header read_header(std::span<const std::byte> file, std::string_view name, Faults& faults);

}  // namespace convergio::io
