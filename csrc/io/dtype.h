// Element types of safetensors files.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace convergio::io {

enum class Dtype {
  Bool,
  U8,
  I8,
  F8_E4M3,
  F8_E5M2,
  F8_E8M0,
  U16,
  I16,
  F16,
  BF16,
  U32,
  I32,
  F32,
  U64,
  I64,
  F64,
  C64,
};

std::size_t size_of(Dtype dtype);       // bytes of one element
std::string_view name_of(Dtype dtype);  // as files write it: "BF16", "BOOL"
std::optional<Dtype> dtype_from_name(std::string_view name);

}  // namespace convergio::io
