#include "io/json.h"

#include <clocale>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "check.h"
#include "io/files.h"

using convergio::io::Json;
using convergio::io::JsonLimits;
using namespace std::string_literals;

namespace {

Json parse(std::string_view text) { return Json::parse(text, "config.json"); }

std::string string_of(std::string_view text) {
  const Json json = parse(text);
  return json.as_string();
}

std::string complaint(std::string_view rest) {
  return "[json] config.json" + std::string(rest) + "; correct the file or download it again.";
}

}  // namespace

#define CHECK_FAULT(text, rest) CHECK_THROWS(parse(text), ModelCorrupt, complaint(rest))

TEST(json_scalars) {
  CHECK(parse("null").is_null());
  CHECK_EQ(parse(" true\n").as_bool(), true);
  CHECK_EQ(parse("false").as_bool(), false);
  CHECK_EQ(parse("-0").as_integer(), 0);
  CHECK_EQ(parse("9223372036854775807").as_integer(), std::numeric_limits<std::int64_t>::max());
  CHECK_EQ(parse("-9223372036854775808").as_integer(), std::numeric_limits<std::int64_t>::min());
  CHECK_EQ(parse("1e-6").as_number(), 1e-6);
  CHECK_EQ(parse("0.1").as_number(), 0.1);
  CHECK_EQ(parse("-12.5E+1").as_number(), -125.0);
  CHECK_EQ(parse("7").as_number(), 7.0);
  CHECK_EQ(parse("1e-999").as_number(), 0.0);
}

TEST(json_integers_beyond_64_bits_become_numbers) {
  const Json large = parse("1000000000000000019884624838656");  // model_max_length in the wild
  CHECK(!large.is_integer());
  CHECK_EQ(large.as_number(), 1000000000000000019884624838656.0);
  CHECK_EQ(parse("9223372036854775808").as_number(), 9223372036854775808.0);
}

TEST(json_numbers_do_not_depend_on_the_locale) {
  // A host program may have set one with a decimal comma.
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"}) {
    if (std::setlocale(LC_ALL, name) != nullptr) break;
  }
  CHECK_EQ(parse("0.5").as_number(), 0.5);
  std::setlocale(LC_ALL, "C");
}

TEST(json_strings_and_escapes) {
  CHECK_EQ(string_of(R"("")"), "");
  CHECK_EQ(string_of(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  CHECK_EQ(string_of(R"("A\u00e9\u20ac\uD83D\uDE00")"), "Aé€😀");
  CHECK_EQ(string_of("\"é€😀\x7f\""), "é€😀\x7f");
  CHECK_EQ(string_of(R"("a\u0000b")"), "a\0b"s);
}

TEST(json_arrays_and_objects_keep_their_order) {
  const Json json = parse(R"( {"z": [1, [], {}], "a": {"b": null} , "m":"x"} )");
  CHECK_EQ(json.members().size(), 3);
  CHECK_EQ(json.members()[0].key, "z");
  CHECK_EQ(json.members()[1].key, "a");
  CHECK_EQ(json.members()[2].key, "m");
  CHECK_EQ(json.at("z").items().size(), 3);
  CHECK_EQ(json.at("z").items()[0].as_integer(), 1);
  CHECK(json.at("z").items()[1].items().empty());
  CHECK(json.at("z").items()[2].members().empty());
  CHECK(json.at("a").at("b").is_null());
  CHECK(json.find("q") == nullptr);
  CHECK_EQ(json.find("m")->as_string(), "x");
}

TEST(json_finds_every_key_of_a_large_object) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) {
    text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i * 7919 % 1000) + "\":" + std::to_string(i);
  }
  const Json json = parse(text + "}");
  for (int i = 0; i < 1000; ++i) {
    CHECK_EQ(json.at("k" + std::to_string(i * 7919 % 1000)).as_integer(), i);
  }
  CHECK(json.find("k1000") == nullptr);
}

TEST(json_says_where_a_value_is) {
  Json json = parse(R"({"rope_scaling": {"factor": "8", "odd key": [true, {"x": 1}]}})");
  const Json moved = std::move(json);
  CHECK_EQ(moved.where(), "config.json");
  CHECK_EQ(moved.at("rope_scaling").where(), "config.json: 'rope_scaling'");
  CHECK_EQ(moved.at("rope_scaling").at("factor").where(), "config.json: 'rope_scaling.factor'");
  const Json& odd = moved.at("rope_scaling").at("odd key");
  CHECK_EQ(odd.items()[0].where(), "config.json: 'rope_scaling[\"odd key\"][0]'");
  CHECK_EQ(odd.items()[1].at("x").where(), "config.json: 'rope_scaling[\"odd key\"][1].x'");
  const Json nested = parse("[[7]]");
  CHECK_EQ(nested.items()[0].items()[0].where(), "config.json: '[0][0]'");
  CHECK_EQ(parse("7").where(), "config.json");
}

TEST(json_accessors_name_the_path_and_the_value) {
  const Json json =
      parse(R"({"a": {"factor": "8"}, "n": 1.5, "l": [1], "b": true, "i": 3, "z": null})");
  CHECK_THROWS(json.at("a").at("factor").as_number(), ModelCorrupt,
               complaint(": 'a.factor' must be a number but is the string \"8\""));
  CHECK_THROWS(json.at("n").as_integer(), ModelCorrupt,
               complaint(": 'n' must be an integer but is the number 1.5"));
  CHECK_THROWS(json.at("l").as_bool(), ModelCorrupt,
               complaint(": 'l' must be a boolean but is an array"));
  CHECK_THROWS(json.at("b").as_string(), ModelCorrupt,
               complaint(": 'b' must be a string but is the boolean true"));
  CHECK_THROWS(json.at("i").items(), ModelCorrupt,
               complaint(": 'i' must be an array but is the integer 3"));
  CHECK_THROWS(json.at("z").members(), ModelCorrupt,
               complaint(": 'z' must be an object but is null"));
  CHECK_THROWS(json.at("l").find("x"), ModelCorrupt,
               complaint(": 'l' must be an object but is an array"));
  CHECK_THROWS(json.at("a").at("type"), ModelCorrupt, complaint(": 'a' has no member 'type'"));
  CHECK_THROWS(json.at("type"), ModelCorrupt, complaint(" has no member 'type'"));
  const Json root = parse("7");
  CHECK_THROWS(root.as_string(), ModelCorrupt, complaint(" must be a string but is the integer 7"));
}

TEST(json_describes_long_and_odd_strings_briefly) {
  CHECK_EQ(parse("\"" + std::string(100, 'a') + "\"").describe(),
           "the string \"" + std::string(60, 'a') + "...\"");
  CHECK_EQ(parse(R"("a\nb\u001b")").describe(), "the string \"a\\nb\\x1b\"");
}

TEST(json_grammar_faults) {
  CHECK_FAULT("", ", line 1, column 1: expected a value but found the end of the text");
  CHECK_FAULT("{\n  \"a\": 1,\n}",
              ", line 3, column 1: expected a member name in double quotes but found '}'");
  CHECK_FAULT("{a: 1}",
              ", line 1, column 2: expected a member name in double quotes but found 'a'");
  CHECK_FAULT("{\"a\" 1}", ", line 1, column 6: expected ':' but found '1'");
  CHECK_FAULT("{\"a\": 1 \"b\": 2}", ", line 1, column 9: expected ',' or '}' but found '\"'");
  CHECK_FAULT("[1 2]", ", line 1, column 4: expected ',' or ']' but found '2'");
  CHECK_FAULT("[1,]", ", line 1, column 4: expected a value but found ']'");
  CHECK_FAULT("[1", ", line 1, column 3: expected ',' or ']' but found the end of the text");
  CHECK_FAULT("{} x", ", line 1, column 4: expected the end of the document but found 'x'");
  CHECK_FAULT("nul", ", line 1, column 1: expected a value but found 'n'");
  CHECK_FAULT("truely", ", line 1, column 5: expected the end of the document but found 'l'");
  CHECK_FAULT("// hello\n{}", ", line 1, column 1: expected a value but found '/'");
  CHECK_FAULT("\xEF\xBB\xBF{}", ", line 1, column 1: a byte-order mark, which JSON does not allow");
  CHECK_FAULT("\xFF", ", line 1, column 1: expected a value but found '\\xff'");
  CHECK_FAULT("\0"s, ", line 1, column 1: expected a value but found '\\x00'");
  CHECK_FAULT("[]\0"s, ", line 1, column 3: expected the end of the document but found '\\x00'");
}

TEST(json_number_faults) {
  CHECK_FAULT("01", ", line 1, column 2: expected the end of the document but found '1'");
  CHECK_FAULT("-", ", line 1, column 2: expected a digit but found the end of the text");
  CHECK_FAULT("+1", ", line 1, column 1: expected a value but found '+'");
  CHECK_FAULT(".5", ", line 1, column 1: expected a value but found '.'");
  CHECK_FAULT("[1.]", ", line 1, column 4: expected a digit but found ']'");
  CHECK_FAULT("1e+", ", line 1, column 4: expected a digit but found the end of the text");
  CHECK_FAULT("[1, 1e999]",
              ", line 1, column 5: the number 1e999 is beyond what a double can hold");
  CHECK_FAULT("0x10", ", line 1, column 2: expected the end of the document but found 'x'");
}

TEST(json_nan_and_infinity_only_where_allowed) {
  CHECK_FAULT("[NaN]", ", line 1, column 2: expected a value but found 'N'");
  CHECK_FAULT("[-Infinity]", ", line 1, column 3: expected a digit but found 'I'");
  const Json json =
      Json::parse("[NaN, Infinity, -Infinity, -1]", "config.json", {.allow_nan = true});
  CHECK(std::isnan(json.items()[0].as_number()));
  CHECK_EQ(json.items()[1].as_number(), std::numeric_limits<double>::infinity());
  CHECK_EQ(json.items()[2].as_number(), -std::numeric_limits<double>::infinity());
  CHECK_EQ(json.items()[3].as_integer(), -1);
}

TEST(json_string_faults) {
  CHECK_FAULT("[\"abc", ", line 1, column 2: a string that does not end");
  CHECK_FAULT("\"abc\\", ", line 1, column 5: an unknown escape in a string");
  CHECK_FAULT("\"\\x\"", ", line 1, column 2: an unknown escape in a string");
  CHECK_FAULT("\"\\u12", ", line 1, column 4: expected four hexadecimal digits");
  CHECK_FAULT("\"\\u12G4\"", ", line 1, column 4: expected four hexadecimal digits");
  CHECK_FAULT("\"\\u-123\"", ", line 1, column 4: expected four hexadecimal digits");
  CHECK_FAULT("\"\\ud83d\"", ", line 1, column 2: half of a surrogate pair in a string");
  CHECK_FAULT("\"\\ud83d\\n\"", ", line 1, column 2: half of a surrogate pair in a string");
  CHECK_FAULT("\"\\ud83d\\u0041\"", ", line 1, column 2: half of a surrogate pair in a string");
  CHECK_FAULT("\"\\ude00\\ude00\"", ", line 1, column 2: half of a surrogate pair in a string");
  CHECK_FAULT("\"\\ude00\"", ", line 1, column 2: half of a surrogate pair in a string");
  CHECK_FAULT("\"a\nb\"", ", line 1, column 3: a string with an unescaped control character");
  CHECK_FAULT("\"a\0\""s, ", line 1, column 3: a string with an unescaped control character");
  CHECK_FAULT("\"\xC0\x80\"", ", line 1, column 2: a string with invalid UTF-8");
  CHECK_FAULT("\"\xED\xA0\x80\"", ", line 1, column 2: a string with invalid UTF-8");
  CHECK_FAULT("\"\xE2\x82\"", ", line 1, column 2: a string with invalid UTF-8");
}

TEST(json_duplicate_keys_are_refused) {
  CHECK_FAULT("{\"a\": 1,\n \"b\": 2, \"a\": 3}", ", line 2, column 10: member 'a' appears twice");
  CHECK_FAULT(R"({"a": 1, "\u0061": 2})", ", line 1, column 10: member 'a' appears twice");
  CHECK(parse(R"({"a": {"a": 1}, "b": {"a": 2}})").is_object());
}

TEST(json_limits) {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  CHECK(parse(nested(65)).is_array());
  CHECK_FAULT(nested(66), ", line 1, column 66: nested deeper than the 64 levels allowed");
  CHECK_FAULT(std::string(1'000'000, '['),
              ", line 1, column 66: nested deeper than the 64 levels allowed");
  CHECK_THROWS(Json::parse("[1, 2, 3]", "x", {.max_bytes = 8}), ModelCorrupt,
               "[json] x has 9 bytes, more than the 8 expected here; correct the file or download "
               "it again.");
  CHECK_THROWS(Json::parse("[1, 2, 3]", "x", {.max_values = 3}), ModelCorrupt,
               "[json] x, line 1, column 8: more than the 3 values allowed; correct the file or "
               "download it again.");
  CHECK(Json::parse("[1, 2, 3]", "x", {.max_values = 4}).is_array());
}

TEST(json_reads_a_file) {
  const TemporaryFolder folder;
  CHECK_EQ(Json::read(folder.write("a.json", " 1\n")).as_integer(), 1);
  CHECK_THROWS(Json::read(folder.write("config.json", "")), ModelCorrupt,
               complaint(", line 1, column 1: expected a value but found the end of the text"));
  CHECK_THROWS(Json::read("/nowhere/config.json"), ModelNotFound,
               "[file] /nowhere/config.json can't be opened (No such file or directory); give the "
               "path of an existing file.");
}
