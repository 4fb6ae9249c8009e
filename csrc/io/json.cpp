#include "io/json.h"

#include <algorithm>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "io/error.h"
#include "io/file.h"
#include "io/json_node.h"
#include "io/text.h"

namespace convergio::io {
namespace {

// ".key", or ["odd key"]; what follows who in a path.
std::string step(std::string_view key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  return plain ? "." + printable(key) : "[\"" + printable(key) + "\"]";
}

std::string_view name_of(Json::Type type) {
  constexpr std::string_view names[] = {"null",     "a boolean", "an integer", "a number",
                                        "a string", "an array",  "an object"};
  return names[static_cast<std::size_t>(type)];
}

}  // namespace

JsonError::JsonError(std::string fault)
    : Error(ErrorKind::ModelCorrupt,
            "[json] " + fault + "; correct the file or download it again."),
      fault_(std::move(fault)) {}

Json::Json() = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

Json Json::read(const std::filesystem::path& path, const JsonLimits& limits) {
  return parse(read_file(path, limits.max_bytes), printable(path.filename().string()), limits);
}

Json::Type Json::type() const noexcept {
  if (node_ != nullptr && (node_->type == Type::Array || node_->type == Type::Object)) {
    return node_->type;
  }
  constexpr Type of_scalar[] = {Type::Null, Type::Bool, Type::Integer, Type::Number, Type::String};
  return of_scalar[scalar_.index()];
}

bool Json::as_bool() const {
  if (!is_bool()) wrong_type(Type::Bool);
  return *std::get_if<bool>(&scalar_);
}

std::int64_t Json::as_integer() const {
  if (!is_integer()) wrong_type(Type::Integer);
  return *std::get_if<std::int64_t>(&scalar_);
}

double Json::as_number() const {
  if (is_integer()) return static_cast<double>(as_integer());
  if (!is_number()) wrong_type(Type::Number);
  return *std::get_if<double>(&scalar_);
}

const std::string& Json::as_string() const& {
  if (!is_string()) wrong_type(Type::String);
  return *std::get_if<std::string>(&scalar_);
}

const std::vector<Json>& Json::items() const& {
  if (!is_array()) wrong_type(Type::Array);
  return node_->items;
}

const std::vector<JsonMember>& Json::members() const& {
  if (!is_object()) wrong_type(Type::Object);
  return node_->members;
}

const Json* Json::find(std::string_view key) const& {
  const std::vector<JsonMember>& all = members();
  const auto key_of = [&](std::uint32_t i) { return std::string_view(all[i].key); };
  const auto found = std::ranges::lower_bound(node_->by_key, key, {}, key_of);
  return found == node_->by_key.end() || key_of(*found) != key ? nullptr : &all[*found].value;
}

const Json& Json::at(std::string_view key) const& {
  const Json* value = find(key);
  if (value == nullptr) throw JsonError(where() + " has no member " + in_quotes(key));
  return *value;
}

// Only messages ask for it, so each step up searches its siblings.
std::string Json::where() const {
  const auto is_in = [](const Json& value, const Node* node, const Json* self) {
    return &value == self || (node != nullptr && value.node_.get() == node);
  };
  std::string path;
  const Node* child = node_.get();
  const Node* up = parent_;
  for (; up != nullptr; child = up, up = up->parent) {
    for (std::size_t i = 0; i < up->items.size(); ++i) {
      if (is_in(up->items[i], child, this)) path = "[" + std::to_string(i) + "]" + path;
    }
    for (const JsonMember& member : up->members) {
      if (is_in(member.value, child, this)) path = step(member.key) + path;
    }
  }
  const std::string who = child == nullptr ? "" : child->who;
  if (path.empty()) return who;
  return who + ": '" + (path.front() == '.' ? path.substr(1) : path) + "'";
}

std::string Json::describe() const {
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text.precision(15);
  if (is_bool()) text << "the boolean " << (as_bool() ? "true" : "false");
  if (is_integer()) text << "the integer " << as_integer();
  if (type() == Type::Number) text << "the number " << as_number();
  if (is_string()) text << "the string \"" << printable(as_string(), 60) << '"';
  const std::string said = text.str();
  return said.empty() ? std::string(name_of(type())) : said;
}

void Json::wrong_type(Type wanted) const {
  throw JsonError(where() + " must be " + std::string(name_of(wanted)) + " but is " + describe());
}

}  // namespace convergio::io
