// A small strict JSON reader (RFC 8259): for config.json, safetensors headers and indexes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/error.h"

namespace convergio::io {

struct JsonLimits {
  std::size_t max_bytes = std::size_t{16} << 20;
  std::size_t max_depth = 64;
  std::size_t max_values = 1'000'000;  // bounds memory: a value is a few dozen times its "0,"
  // Accept the literals NaN, Infinity and -Infinity, which Python's json writes ("time_step_limit":
  // [0.0, Infinity] is found in published config.json files).
  bool allow_nan = false;
};

// Error(ModelCorrupt) whose message is "[json] fault; correct the file or download it again."
class JsonError : public Error {
 public:
  explicit JsonError(std::string fault);
  const std::string& fault() const noexcept { return fault_; }  // without speaker and remedy

 private:
  std::string fault_;
};

struct JsonMember;

// One value of a document; the root owns the rest. Values are read-only and know where they are,
// so that every complaint names file and path: "config.json: 'rope_scaling.factor'".
class Json {
 public:
  enum class Type { Null, Bool, Integer, Number, String, Array, Object };

  // who: how messages call the document ("config.json"). Throws JsonError that names
  // line and column (both from 1; columns count bytes) of the first fault. Duplicate keys, lone
  // surrogates, invalid UTF-8 and a byte-order mark are faults.
  static Json parse(std::string_view text, std::string_view who, const JsonLimits& limits = {});
  // The same for a file, called by its file name. Also throws what read_file throws.
  static Json read(const std::filesystem::path& path, const JsonLimits& limits = {});

  Json(Json&&) noexcept;
  Json& operator=(Json&&) noexcept;
  ~Json();

  Type type() const noexcept;
  bool is_null() const noexcept { return type() == Type::Null; }
  bool is_bool() const noexcept { return type() == Type::Bool; }
  bool is_integer() const noexcept { return type() == Type::Integer; }
  bool is_number() const noexcept { return type() == Type::Number || is_integer(); }
  bool is_string() const noexcept { return type() == Type::String; }
  bool is_array() const noexcept { return type() == Type::Array; }
  bool is_object() const noexcept { return type() == Type::Object; }

  // Each throws JsonError naming the path when the value is of another type. What they refer to
  // belongs to the root, so the root must have a name: a temporary document is refused.
  bool as_bool() const;
  std::int64_t as_integer() const;  // written without fraction or exponent, and within 64 bits
  double as_number() const;         // an integer too; one beyond 64 bits is rounded
  const std::string& as_string() const&;            // valid UTF-8
  const std::vector<Json>& items() const&;          // of an array
  const std::vector<JsonMember>& members() const&;  // of an object, in the order of the file
  const Json* find(std::string_view key) const&;    // nullptr when the object has no such key
  const Json& at(std::string_view key) const&;      // throws JsonError when it has not
  void as_string() && = delete;
  void items() && = delete;
  void members() && = delete;
  void find(std::string_view key) && = delete;
  void at(std::string_view key) && = delete;

  std::string where() const;     // "config.json: 'rope_scaling.factor'"; the root: "config.json"
  std::string describe() const;  // "the string \"8\"", "an object": for messages, short

 private:
  struct Node;  // what arrays and objects hold; stays in place when a Json moves
  friend class JsonParser;
  friend struct JsonMember;

  Json();
  [[noreturn]] void wrong_type(Type wanted) const;

  std::variant<std::monostate, bool, std::int64_t, double, std::string> scalar_;
  std::unique_ptr<Node> node_;
  const Node* parent_ = nullptr;
};

struct JsonMember {
  std::string key;
  Json value;
};

}  // namespace convergio::io
