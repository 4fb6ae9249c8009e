#include "io/header.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "io/files.h"

using convergio::ErrorKind;
using convergio::io::Dtype;
using convergio::io::Faults;
using convergio::io::Header;
using convergio::io::TensorView;
using namespace std::string_literals;

namespace {

struct Outcome {
  std::string file;  // keeps the bytes that header's tensors point to
  Header header;
  Faults faults;
};

Outcome read(std::string file) {
  Outcome outcome{std::move(file), {}, {}};
  outcome.header = convergio::io::read_header(std::as_bytes(std::span(outcome.file)),
                                              "m.safetensors", outcome.faults);
  return outcome;
}

// What is said of a file; "" when nothing is wrong with it.
std::string complaint(std::string file, ErrorKind kind = ErrorKind::ModelCorrupt) {
  const Outcome outcome = read(std::move(file));
  if (outcome.faults.empty()) return "";
  CHECK_EQ(outcome.faults.kind(), kind);
  try {
    outcome.faults.raise("safetensors", "m", "stop");
  } catch (const convergio::Error& error) {
    return error.what();
  }
}

std::string entry(std::string_view name, std::string_view dtype, std::string_view shape,
                  std::string_view offsets) {
  return "\"" + std::string(name) + "\":{\"dtype\":\"" + std::string(dtype) + "\",\"shape\":[" +
         std::string(shape) + "],\"data_offsets\":[" + std::string(offsets) + "]}";
}

}  // namespace

TEST(header_of_a_good_file) {
  const Outcome seen = read(safetensors(
      R"({"__metadata__":{"format":"mlx","note":"ä"},"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},)"
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"z":{"dtype":"U8","shape":[7,0],"data_offsets":[16,16]}}   )",
      "abcdefghijklmnop"));
  CHECK(seen.faults.empty());
  CHECK_EQ(seen.header.metadata.size(), 2);
  CHECK_EQ(seen.header.metadata.at("note"), "ä");
  CHECK_EQ(seen.header.tensors.size(), 3);
  const TensorView& b = seen.header.tensors[0];
  CHECK_EQ(b.name, "b");
  CHECK_EQ(b.dtype, Dtype::F16);
  CHECK(b.shape == std::vector<std::int64_t>({2, 3}));
  CHECK_EQ(b.bytes, 12);
  CHECK_EQ(std::string_view(reinterpret_cast<const char*>(b.data), b.bytes), "efghijklmnop");
  CHECK(seen.header.tensors[1].shape.empty());
  CHECK_EQ(seen.header.tensors[2].bytes, 0);
}

TEST(header_without_tensors) {
  CHECK_EQ(complaint(safetensors("{}")), "");
  CHECK_EQ(complaint(safetensors(R"({"__metadata__":null})")), "");
}

TEST(header_ignores_members_it_does_not_know) {
  CHECK_EQ(complaint(safetensors(
               R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"comment":{"x":[1]}}})", 1)),
           "");
}

TEST(every_dtype_is_known_by_name_and_size) {
  using convergio::io::dtype_from_name;
  using convergio::io::name_of;
  using convergio::io::size_of;
  const std::vector<std::pair<std::string_view, std::size_t>> wanted = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1},
      {"U16", 2},  {"I16", 2}, {"F16", 2}, {"BF16", 2},    {"U32", 4},     {"I32", 4},
      {"F32", 4},  {"U64", 8}, {"I64", 8}, {"F64", 8},     {"C64", 8}};
  for (const auto& [name, bytes] : wanted) {
    const auto dtype = dtype_from_name(name);
    CHECK(dtype.has_value());
    if (!dtype) continue;
    CHECK_EQ(name_of(*dtype), name);
    CHECK_EQ(size_of(*dtype), bytes);
  }
  CHECK(!dtype_from_name("f32"));
  CHECK(!dtype_from_name(""));
}

TEST(header_length_faults) {
  CHECK_EQ(
      complaint(""),
      "[safetensors] m.safetensors: has 0 bytes, too few for the 8 bytes of header length; stop.");
  CHECK_EQ(
      complaint("1234567"),
      "[safetensors] m.safetensors: has 7 bytes, too few for the 8 bytes of header length; stop.");
  CHECK_EQ(complaint("\x10\0\0\0\0\0\0\0{}"s),
           "[safetensors] m.safetensors: claims a header of 16 bytes but only 2 follow; stop.");
  CHECK_EQ(complaint("\x03\0\0\0\0\0\0\0{}"s),
           "[safetensors] m.safetensors: claims a header of 3 bytes but only 2 follow; stop.");
  CHECK_EQ(
      complaint("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}"),
      "[safetensors] m.safetensors: claims a header of 18446744073709551615 bytes, more than the "
      "100000000 that the format allows; stop.");
  CHECK_EQ(
      complaint("\x01\xE1\xF5\x05\0\0\0\0{}"s),
      "[safetensors] m.safetensors: claims a header of 100000001 bytes, more than the 100000000 "
      "that the format allows; stop.");
  CHECK_EQ(complaint(std::string(8, '\0')),
           "[safetensors] m.safetensors: header does not begin with '{'; stop.");
  CHECK_EQ(complaint(safetensors(" {}")),
           "[safetensors] m.safetensors: header does not begin with '{'; stop.");
  CHECK_EQ(complaint(safetensors("[]")),
           "[safetensors] m.safetensors: header does not begin with '{'; stop.");
}

TEST(a_git_lfs_pointer_is_recognized) {
  CHECK_EQ(complaint("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"),
           "[safetensors] m.safetensors: is a Git LFS pointer of 64 bytes in place of the tensors; "
           "stop.");
}

TEST(header_json_faults_name_line_and_column) {
  CHECK_EQ(complaint(safetensors("{\"a\": }")),
           "[safetensors] m.safetensors: header, line 1, column 7: expected a value but found '}'; "
           "stop.");
  CHECK_EQ(
      complaint(safetensors(
          "{" + entry("a", "U8", "1", "0,1") + "," + entry("a", "U8", "1", "1,2") + "}", 2)),
      "[safetensors] m.safetensors: header, line 1, column 54: member 'a' appears twice; stop.");
  CHECK_EQ(complaint(safetensors(R"({"a":[[[[[[[[[]]]]]]]]]})")),
           "[safetensors] m.safetensors: header, line 1, column 14: nested deeper than the 8 "
           "levels allowed; stop.");
}

TEST(metadata_faults) {
  CHECK_EQ(complaint(safetensors(R"({"__metadata__":[]})")),
           "[safetensors] m.safetensors: '__metadata__' must be an object but is an array; stop.");
  CHECK_EQ(complaint(safetensors(R"({"__metadata__":{"a":"x","n":1}})")),
           "[safetensors] m.safetensors: '__metadata__' member 'n' must be a string but is the "
           "integer 1; stop.");
}

TEST(tensor_entry_faults) {
  const auto said = [](std::string_view tensor) {
    return complaint(safetensors("{\"a\":" + std::string(tensor) + "}", 1));
  };
  const auto fault = [](std::string_view what) {
    return "[safetensors] m.safetensors: tensor 'a' " + std::string(what) + "; stop.";
  };
  CHECK_EQ(said("1"), fault("must be an object but is the integer 1"));
  CHECK_EQ(said(R"({"shape":[1],"data_offsets":[0,1]})"), fault("has no dtype"));
  CHECK_EQ(said(R"({"dtype":8,"shape":[1],"data_offsets":[0,1]})"),
           fault("has a dtype that is not a string but the integer 8"));
  CHECK_EQ(said(R"({"dtype":"U8","data_offsets":[0,1]})"), fault("has no shape"));
  CHECK_EQ(said(R"({"dtype":"U8","shape":1,"data_offsets":[0,1]})"),
           fault("has a shape that is not an array but the integer 1"));
  CHECK_EQ(said(R"({"dtype":"U8","shape":[-1],"data_offsets":[0,1]})"),
           fault("has a dimension that is not a count but the integer -1"));
  CHECK_EQ(said(R"({"dtype":"U8","shape":[1.0],"data_offsets":[0,1]})"),
           fault("has a dimension that is not a count but the number 1"));
  CHECK_EQ(said(R"({"dtype":"U8","shape":["1"],"data_offsets":[0,1]})"),
           fault("has a dimension that is not a count but the string \"1\""));
  for (const char* offsets :
       {"", ",\"data_offsets\":{}", ",\"data_offsets\":[0]", ",\"data_offsets\":[0,1,2]",
        ",\"data_offsets\":[0,1.5]", ",\"data_offsets\":[-1,0]", ",\"data_offsets\":[0,-1]",
        ",\"data_offsets\":[0,\"1\"]", ",\"data_offsets\":[0,18446744073709551616]"}) {
    CHECK_EQ(said(R"({"dtype":"U8","shape":[1])"s + offsets + "}"),
             fault("has no data_offsets of two whole numbers"));
  }
  CHECK_EQ(said(R"({"dtype":"U8","shape":[1],"data_offsets":[1,0]})"),
           fault("begins at 1 of the data, after its end at 0"));
  CHECK_EQ(said(R"({"dtype":"U16","shape":[1],"data_offsets":[0,1]})"),
           fault("needs 2 bytes (U16 of shape [1]) but holds 1"));
  CHECK_EQ(said(R"({"dtype":"U8","shape":[0,5],"data_offsets":[0,1]})"),
           fault("needs 0 bytes (U8 of shape [0, 5]) but holds 1"));
}

TEST(an_unknown_dtype_alone_means_unsupported) {
  CHECK_EQ(complaint(safetensors("{" + entry("a", "F4", "2", "0,1") + "}", 1),
                     ErrorKind::UnsupportedModel),
           "[safetensors] m.safetensors: tensor 'a' has the unknown dtype 'F4'; stop.");
}

TEST(shapes_that_overflow) {
  CHECK_EQ(complaint(safetensors("{" + entry("a", "F32", "4611686018427387904,4", "0,0") + "}")),
           "[safetensors] m.safetensors: tensor 'a' has a shape of more than 2^64 bytes; stop.");
  // 2^32 * 2^32 is 0 in 64 bits, and so would seem to fit.
  CHECK_EQ(complaint(safetensors("{" + entry("a", "U8", "4294967296,4294967296", "0,0") + "}")),
           "[safetensors] m.safetensors: tensor 'a' has a shape of more than 2^64 bytes; stop.");
  CHECK_EQ(complaint(safetensors(
               "{" + entry("a", "U8", "9223372036854775807,9223372036854775807,0", "0,0") + "}")),
           "[safetensors] m.safetensors: tensor 'a' has a shape of more than 2^64 bytes; stop.");
}

TEST(tensors_beyond_the_file) {
  const std::string header = "{" + entry("a", "U8", "848", "0,848") + "}";
  CHECK_EQ(header.size(), 57);
  CHECK_EQ(complaint(safetensors(header, 447)),
           "[safetensors] m.safetensors: tensor 'a' ends at byte 913 but the file has 512; stop.");
  CHECK_EQ(complaint(safetensors(
               "{" + entry("a", "U8", "9223372036854775807", "0,9223372036854775807") + "}", 3)),
           "[safetensors] m.safetensors: tensor 'a' ends at byte 9223372036854775904 but the file "
           "has 100; stop.");
  CHECK(read(safetensors(header, 447)).header.tensors.empty());
}

TEST(a_file_that_was_cut_off_is_one_fault) {
  const std::string header = "{" + entry("a", "U8", "100", "0,100") + "," +
                             entry("b", "U8", "50", "100,150") + "," +
                             entry("c", "U8", "50", "150,200") + "}";
  const std::string file = safetensors(header, 120);
  CHECK_EQ(complaint(file), "[safetensors] m.safetensors: tensor 'c' ends at byte " +
                                std::to_string(file.size() + 80) + " but the file has " +
                                std::to_string(file.size()) + " (1 more end beyond it); stop.");
}

TEST(overlaps_gaps_and_leftovers) {
  const auto said = [](std::string_view first, std::string_view second, std::size_t bytes) {
    const auto tensor = [](const char* name, std::string_view offsets) {
      const std::size_t comma = offsets.find(',');
      const int size =
          std::stoi(std::string(offsets.substr(comma + 1))) - std::stoi(std::string(offsets));
      return entry(name, "U8", std::to_string(size), offsets);
    };
    return complaint(
        safetensors("{" + tensor("a", first) + "," + tensor("b", second) + "}", bytes));
  };
  const auto fault = [](std::string_view what) {
    return "[safetensors] m.safetensors: " + std::string(what) + "; stop.";
  };
  CHECK_EQ(said("0,4", "4,8", 8), "");
  CHECK_EQ(said("4,8", "0,4", 8), "");
  CHECK_EQ(said("0,4", "3,8", 8), fault("tensor 'b' overlaps tensor 'a' by 1 byte"));
  CHECK_EQ(said("0,8", "2,5", 8), fault("tensor 'b' overlaps tensor 'a' by 3 bytes"));
  CHECK_EQ(said("0,8", "0,8", 8), fault("tensor 'b' overlaps tensor 'a' by 8 bytes"));
  CHECK_EQ(said("0,8", "4,4", 8), fault("tensor 'b' overlaps tensor 'a' by 0 bytes"));
  CHECK_EQ(said("0,8", "8,8", 8), "");
  CHECK_EQ(said("0,8", "0,0", 8), "");
  CHECK_EQ(said("0,4", "6,8", 8), fault("no tensor covers the 2 bytes before tensor 'b'"));
  CHECK_EQ(said("1,4", "4,8", 8), fault("no tensor covers the 1 byte before tensor 'a'"));
  CHECK_EQ(said("0,4", "4,8", 9), fault("no tensor covers the 1 byte at the end"));
  CHECK_EQ(said("0,4", "4,8", 11), fault("no tensor covers the 3 bytes at the end"));
}

TEST(all_faults_of_a_file_are_said_at_once) {
  const std::string file =
      safetensors("{" + entry("a", "U8", "4", "0,4") + "," + entry("b", "F4", "4", "4,6") +
                      ",\"c\":7," + entry("d", "F32", "4", "6,70") + "}",
                  6);
  CHECK_EQ(
      complaint(file),
      "[safetensors] m has 4 faults: m.safetensors: tensor 'b' has the unknown dtype 'F4'; "
      "m.safetensors: tensor 'c' must be an object but is the integer 7; m.safetensors: tensor 'd' "
      "needs 16 bytes (F32 of shape [4]) but holds 64; m.safetensors: tensor 'd' ends at byte " +
          std::to_string(file.size() + 64) + " but the file has " + std::to_string(file.size()) +
          "; stop.");
  CHECK_EQ(read(file).header.tensors.size(), 1);
}

TEST(names_are_made_fit_for_a_message) {
  CHECK_EQ(complaint(safetensors(R"({"a\n\u001b[31m":1})")),
           "[safetensors] m.safetensors: tensor 'a\\n\\x1b[31m' must be an object but is the "
           "integer 1; stop.");
}
