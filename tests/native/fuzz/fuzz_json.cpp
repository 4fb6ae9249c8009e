// Any bytes as JSON: a clean error, or a document that can be walked and, written out and read
// again, is the same.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "expect.h"
#include "io/json.h"

using convergio::io::Json;
using convergio::io::JsonError;
using convergio::io::JsonLimits;
using convergio::io::JsonMember;

namespace {

constexpr JsonLimits limits{.max_bytes = 1 << 20, .max_values = 100'000, .allow_nan = true};

std::string written(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    } else {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    }
  }
  return out + '"';
}

std::string written(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  char text[32];
  std::snprintf(text, sizeof text, "%.17e", number);
  return text;
}

std::string written(const Json& json) {
  std::string out;
  switch (json.type()) {
    case Json::Type::Null:
      return "null";
    case Json::Type::Bool:
      return json.as_bool() ? "true" : "false";
    case Json::Type::Integer:
      return std::to_string(json.as_integer());
    case Json::Type::Number:
      return written(json.as_number());
    case Json::Type::String:
      return written(json.as_string());
    case Json::Type::Array:
      for (const Json& item : json.items()) out += (out.empty() ? "" : ",") + written(item);
      return "[" + out + "]";
    case Json::Type::Object:
      for (const JsonMember& member : json.members()) {
        EXPECT(json.find(member.key) == &member.value);
        out += (out.empty() ? "" : ",") + written(std::string_view(member.key)) + ":" +
               written(member.value);
      }
      return "{" + out + "}";
  }
  return out;
}

// The first leaf's path, and the complaint of an accessor of the wrong type.
void expect_complaint(const Json& json) {
  const Json* leaf = &json;
  for (;;) {
    if (leaf->is_array() && !leaf->items().empty()) {
      leaf = &leaf->items().back();
    } else if (leaf->is_object() && !leaf->members().empty()) {
      leaf = &leaf->members().back().value;
    } else {
      break;
    }
  }
  EXPECT(leaf->where().starts_with("fuzz.json"));
  try {
    if (leaf->is_string()) {
      leaf->as_bool();
    } else {
      leaf->as_string();
    }
    EXPECT(false);
  } catch (const JsonError& error) {
    expect_sentence(error.what());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Json json = Json::parse(text, "fuzz.json", limits);
    expect_complaint(json);
    const std::string once = written(json);
    if (once.size() > limits.max_bytes) return 0;  // escapes make it longer
    EXPECT(written(Json::parse(once, "again.json", limits)) == once);
  } catch (const JsonError& error) {
    expect_sentence(error.what());
  }
  return 0;
}
