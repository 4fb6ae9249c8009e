#include "io/gguf.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "io/files.h"
#include "io/gguf_file.h"

using convergio::ErrorKind;
using convergio::formats::ScaleType;
using convergio::io::Faults;
using convergio::io::GgufFile;
using convergio::io::GgufHeader;
using convergio::io::GgufType;
using namespace std::string_literals;

namespace {

template <class T>
std::string bytes(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string u32(std::uint64_t value) { return bytes(static_cast<std::uint32_t>(value)); }
std::string u64(std::uint64_t value) { return bytes(value); }
std::string text(std::string_view value) { return u64(value.size()) + std::string(value); }
std::string type(GgufType value) { return u32(static_cast<std::uint32_t>(value)); }

std::string key(std::string_view name, GgufType kind, const std::string& value) {
  return text(name) + type(kind) + value;
}

std::string array(std::string_view name, GgufType item, std::uint64_t count,
                  const std::string& items) {
  return key(name, GgufType::Array, type(item) + u64(count) + items);
}

std::string tensor(std::string_view name, const std::vector<std::uint64_t>& dims,
                   std::uint32_t kind, std::uint64_t offset) {
  std::string entry = text(name) + u32(dims.size());
  for (const std::uint64_t dim : dims) entry += u64(dim);
  return entry + u32(kind) + u64(offset);
}

std::string padded(std::string head, const std::string& data) {
  head.resize((head.size() + 31) / 32 * 32);
  return head + data;
}

std::string start(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
  return "GGUF" + u32(version) + u64(tensors) + u64(keys);
}

struct Outcome {
  std::string file;  // keeps the bytes that header points to
  GgufHeader header;
  Faults faults;
};

Outcome read(std::string file) {
  Outcome outcome{std::move(file), {}, {}};
  outcome.header =
      convergio::io::read_gguf(std::as_bytes(std::span(outcome.file)), "m.gguf", outcome.faults);
  return outcome;
}

// What is said of a file; "" when nothing is wrong with it.
std::string complaint(std::string file, ErrorKind kind = ErrorKind::ModelCorrupt) {
  const Outcome outcome = read(std::move(file));
  if (outcome.faults.empty()) return "";
  CHECK_EQ(outcome.faults.kind(), kind);
  try {
    outcome.faults.raise("gguf", "m.gguf", "stop");
  } catch (const convergio::Error& error) {
    return error.what();
  }
}

// A file with one key and one tensor.
std::string with_key(const std::string& one) {
  return padded(start(1, 1) + one + tensor("t", {2}, 0, 0), "12345678");
}

std::string with_tensor(const std::string& one, std::size_t data = 64) {
  return padded(start(1, 0) + one, std::string(data, '\0'));
}

}  // namespace

TEST(gguf_of_a_good_file) {
  for (const std::uint32_t version : {2, 3}) {
    const Outcome seen = read(padded(start(2, 3, version) + key("a", GgufType::U16, "\x07\x01"s) +
                                         array("b", GgufType::String, 2, text("x") + text("\xFF")) +
                                         key("c", GgufType::Bool, "\x01"s) +
                                         tensor("w", {32, 2}, 2, 64) + tensor("v", {3}, 0, 0),
                                     std::string(100, 'z')));
    CHECK(seen.faults.empty());
    CHECK_EQ(seen.header.version, version);
    CHECK_EQ(seen.header.keys.size(), 3);
    CHECK_EQ(convergio::io::strings_of(seen.header.keys[1].value)[1], "\xFF");
    CHECK_EQ(seen.header.tensors.size(), 2);
    CHECK(seen.header.tensors[0].shape == (std::vector<std::int64_t>{2, 32}));
    CHECK_EQ(seen.header.tensors[0].data.size(), 36);
    CHECK_EQ(seen.header.tensors[1].data.size(), 12);
  }
}

TEST(gguf_that_is_none_or_of_another_kind) {
  CHECK_EQ(complaint(""), "[gguf] m.gguf: begins with '' in place of 'GGUF'; stop.");
  CHECK_EQ(complaint("GGML...."), "[gguf] m.gguf: begins with 'GGML' in place of 'GGUF'; stop.");
  CHECK_EQ(complaint("GGUF"),
           "[gguf] m.gguf: the version takes 4 bytes at byte 4 but only 0 follow; stop.");
  CHECK_EQ(complaint(start(0, 0, 1), ErrorKind::UnsupportedModel),
           "[gguf] m.gguf: is of GGUF version 1, and versions 2 and 3 are read; stop.");
  CHECK_EQ(complaint("GGUF\0\0\0\3"s, ErrorKind::UnsupportedModel),
           "[gguf] m.gguf: its numbers are big-endian, and only little-endian files are read; "
           "stop.");
}

TEST(gguf_counts_that_lie) {
  CHECK_EQ(complaint(start(0, 1000000)),
           "[gguf] m.gguf: claims 1000000 keys, more than the 65536 that are read; stop.");
  CHECK_EQ(complaint(start(~0ULL, 0)),
           "[gguf] m.gguf: claims 18446744073709551615 tensors, more "
           "than the 131072 that are read; stop.");
  CHECK_EQ(complaint(start(0, 9)), "[gguf] m.gguf: claims 9 keys but only 0 bytes follow; stop.");
  CHECK_EQ(complaint(with_key(array("a", GgufType::U8, 1 << 24, ""))),
           "[gguf] m.gguf: claims 16777216 items of key 'a', more than the 8388608 that are read; "
           "stop.");
  CHECK_EQ(complaint(with_key(array("a", GgufType::U64, 1000, ""))),
           "[gguf] m.gguf: claims 1000 items of key 'a' but only 55 bytes follow; stop.");
  CHECK_EQ(complaint(with_key(key("a", GgufType::String, u64(~0ULL)))),
           "[gguf] m.gguf: the value of key 'a' takes 18446744073709551615 bytes at byte 45 but "
           "only 59 follow; stop.");
}

TEST(gguf_keys_that_are_none) {
  CHECK_EQ(complaint(with_key(text("") + type(GgufType::U8) + "x")),
           "[gguf] m.gguf: the name of a key, '', must be 1 to 1024 bytes of UTF-8; stop.");
  CHECK_EQ(complaint(with_key(text("\xFF") + type(GgufType::U8) + "x")),
           "[gguf] m.gguf: the name of a key, '\\xff', must be 1 to 1024 bytes of UTF-8; stop.");
  CHECK_EQ(complaint(with_key(text("a") + u32(13))),
           "[gguf] m.gguf: key 'a' has the unknown type 13; stop.");
  CHECK_EQ(complaint(with_key(array("a", GgufType::Array, 1, ""))),
           "[gguf] m.gguf: key 'a' has an array of arrays, which no model has; stop.");
  CHECK_EQ(complaint(with_key(key("a", GgufType::Bool, "\x02"s))),
           "[gguf] m.gguf: key 'a' has a truth value that is neither 0 nor 1; stop.");
  const std::string one = key("a", GgufType::U8, "x");
  CHECK_EQ(complaint(padded(start(0, 2) + one + one, "")),
           "[gguf] m.gguf: key 'a' is there twice; stop.");
  CHECK_EQ(complaint(with_key(key("general.alignment", GgufType::U32, u32(48)))),
           "[gguf] m.gguf: key 'general.alignment' is 48, which must be a power of two up to "
           "1048576; stop.");
  CHECK_EQ(complaint(with_key(key("general.alignment", GgufType::U64, u64(32)))),
           "[gguf] m.gguf: key 'general.alignment' is no number of 32 bits; stop.");
}

TEST(gguf_tensors_that_cannot_be) {
  CHECK_EQ(complaint(with_tensor(tensor("t", {}, 0, 0))),
           "[gguf] m.gguf: tensor 't' has 0 dimensions, which must be 1 to 4; stop.");
  CHECK_EQ(complaint(with_tensor(tensor("t", {1, 1, 1, 1, 1}, 0, 0))),
           "[gguf] m.gguf: tensor 't' has 5 dimensions, which must be 1 to 4; stop.");
  CHECK_EQ(complaint(with_tensor(tensor("t", {4}, 99, 0)), ErrorKind::UnsupportedModel),
           "[gguf] m.gguf: tensor 't' is of the unknown kind 99; stop.");
  CHECK_EQ(complaint(with_tensor(tensor("t", {0}, 0, 0))),
           "[gguf] m.gguf: tensor 't' has no numbers; stop.");
  CHECK_EQ(complaint(with_tensor(tensor("t", {1ULL << 40, 1ULL << 40}, 0, 0))),
           "[gguf] m.gguf: tensor 't' has a shape of more than 2^64 bytes; stop.");
  CHECK_EQ(complaint(with_tensor(tensor("t", {~0ULL}, 0, 0))),
           "[gguf] m.gguf: tensor 't' has a shape of more than 2^64 bytes; stop.");
  CHECK_EQ(complaint(with_tensor(tensor("t", {33}, 2, 0))),
           "[gguf] m.gguf: tensor 't' has rows of 33 numbers, and Q4_0 has blocks of 32; stop.");
  CHECK_EQ(complaint(with_tensor(tensor("t", {4}, 0, 4))),
           "[gguf] m.gguf: tensor 't' begins at 4 of the data, no multiple of 32; stop.");
  CHECK_EQ(complaint(with_tensor(tensor("t", {32}, 0, 0))),
           "[gguf] m.gguf: tensor 't' ends at byte 128 of the data but the file has 64; stop.");
  CHECK_EQ(complaint(with_tensor(tensor("t", {1}, 0, ~0ULL - 31))),
           "[gguf] m.gguf: tensor 't' ends at byte 18446744073709551588 of the data but the file "
           "has 64; stop.");
}

TEST(gguf_tensors_that_are_not_apart) {
  const std::string data(64, '\0');
  CHECK_EQ(complaint(padded(start(2, 0) + tensor("a", {16}, 0, 0) + tensor("b", {8}, 0, 32), data)),
           "[gguf] m.gguf: tensor 'b' overlaps tensor 'a'; stop.");
  CHECK_EQ(complaint(padded(start(2, 0) + tensor("a", {8}, 0, 0) + tensor("a", {8}, 0, 32), data)),
           "[gguf] m.gguf: tensor 'a' is listed twice; stop.");
}

TEST(gguf_cut_off_anywhere_is_told) {
  const std::string whole =
      padded(start(1, 2) + array("a", GgufType::String, 2, text("x") + text("y")) +
                 key("b", GgufType::F64, u64(0)) + tensor("t", {16}, 0, 0),
             std::string(64, 'z'));
  CHECK_EQ(complaint(whole), "");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK(!complaint(whole.substr(0, size)).empty());
  }
}

TEST(gguf_rows_of_heads_are_put_apart) {
  const TemporaryFolder folder;
  std::string numbers;
  for (const float value : {0.F, 1.F, 2.F, 3.F, 4.F, 5.F, 6.F, 7.F}) numbers += bytes(value);
  const auto path =
      folder.write("m.gguf", padded(start(1, 0) + tensor("t", {1, 8}, 0, 0), numbers));
  const GgufFile file(path);
  const auto rows = file.rows(file.header().tensors[0], {0, 8, 2}, ScaleType::Half);
  std::string wanted;
  for (const float value : {0.F, 2.F, 1.F, 3.F, 4.F, 6.F, 5.F, 7.F}) wanted += bytes(value);
  CHECK_EQ(rows.weight, wanted);
  CHECK_EQ(file.rows(file.header().tensors[0], {5, 7, 2}, ScaleType::Half).weight,
           wanted.substr(20, 8));
  CHECK_THROWS(file.rows(file.header().tensors[0], {0, 9, 2}, ScaleType::Half), InvalidRequest,
               "[gguf] rows 0 to 9 of 2 heads are asked for, and tensor 't' has 8; give rows of it "
               "and heads of an even number of rows.");
}

TEST(gguf_faults_end_with_what_would_work) {
  const TemporaryFolder folder;
  CHECK_THROWS(GgufFile(folder.write("m.gguf", "GGUF")), ModelCorrupt,
               "[gguf] m.gguf: the version takes 4 bytes at byte 4 but only 0 follow; get the file "
               "again.");
  CHECK_THROWS(GgufFile(folder.write("m.gguf", start(0, 0, 1))), UnsupportedModel,
               "[gguf] m.gguf: is of GGUF version 1, and versions 2 and 3 are read; take a file "
               "that llama.cpp wrote on a little-endian machine since September 2023.");
}
