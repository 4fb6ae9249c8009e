// The head of one GGUF file: its metadata and the table of its tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf_kinds.h"
#include "io/faults.h"

namespace convergio::io {

// As files number them.
enum class GgufType : std::uint32_t {
  U8,
  I8,
  U16,
  I16,
  U32,
  I32,
  F32,
  Bool,
  String,
  Array,
  U64,
  I64,
  F64,
};

// A value of the metadata, where it lies in the file: `data` has `count` items of type `item`, one
// after the other and at any alignment; `count` is 1 where it is no array. A string is 8 bytes of
// length and that many bytes, which need not be UTF-8.
struct GgufValue {
  bool is_array = false;
  GgufType item = GgufType::U8;
  std::uint64_t count = 1;
  std::span<const std::byte> data;
};

struct GgufKey {
  std::string name;  // valid UTF-8
  GgufValue value;
};

struct GgufTensor {
  std::string name;  // valid UTF-8
  const formats::GgufKind* kind;
  std::vector<std::int64_t> shape;  // outermost first; the last one is whole blocks of the kind
  std::span<const std::byte> data;
};

struct GgufHeader {
  std::uint32_t version = 0;
  std::vector<GgufKey> keys;        // each once, in the file's order
  std::vector<GgufTensor> tensors;  // each once, in the file's order; their bytes are disjoint
};

// What a file may hold: bounds of memory, well above any model's.
struct GgufLimits {
  std::uint64_t keys = 1 << 16;
  std::uint64_t tensors = 1 << 17;
  std::uint64_t array_items = 1 << 23;  // of all arrays together
  std::uint64_t name_bytes = 1 << 10;   // of a key or a tensor
};

// file: all bytes of a GGUF file of version 2 or 3, of which only the head is read; name: how
// faults call it. What is wrong is added to faults, and what could be understood is returned.
GgufHeader read_gguf(std::span<const std::byte> file, std::string_view name, Faults& faults,
                     const GgufLimits& limits = {});

// The strings of a value of type String.
std::vector<std::string_view> strings_of(const GgufValue& value);

}  // namespace convergio::io
