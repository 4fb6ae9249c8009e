// Text to Json: recursive descent, one function a production of RFC 8259.
#include <locale.h>
#include <clocale>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "io/json.h"
#include "io/json_node.h"
#include "io/text.h"

namespace convergio::io {

class JsonParser {
 public:
  JsonParser(std::string_view text, std::string_view who, const JsonLimits& limits)
      : text_(text), who_(who), limits_(limits) {}

  Json document();

 private:
  using Node = Json::Node;

  Json value(const Node* parent, std::size_t depth);
  void array(Json& out, std::size_t depth);
  void object(Json& out, std::size_t depth);
  void refuse_duplicate_keys(Node& node, const std::vector<std::size_t>& key_starts);
  std::string string();
  void escape(std::string& out);
  std::uint32_t hex4();
  void number(Json& out);
  void digits();
  bool literal(std::string_view word);

  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char c);
  void skip_space();
  std::string found() const;  // what stands at at_, for a message
  [[noreturn]] void fail(const std::string& what) const { fail_at(at_, what); }
  [[noreturn]] void fail_at(std::size_t offset, const std::string& what) const;

  std::string_view text_;
  std::string_view who_;
  const JsonLimits& limits_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

Json Json::parse(std::string_view text, std::string_view who, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw JsonError(std::string(who) + " has " + std::to_string(text.size()) +
                    " bytes, more than the " + std::to_string(limits.max_bytes) + " expected here");
  }
  return JsonParser(text, who, limits).document();
}

Json JsonParser::document() {
  if (text_.starts_with("\xEF\xBB\xBF")) fail("a byte-order mark, which JSON does not allow");
  Json root = value(nullptr, 0);
  skip_space();
  if (!at_end()) fail("expected the end of the document but found " + found());
  if (root.node_ == nullptr) root.node_ = std::make_unique<Node>();
  root.node_->who = who_;
  return root;
}

Json JsonParser::value(const Node* parent, std::size_t depth) {
  skip_space();
  if (depth > limits_.max_depth) {
    fail("nested deeper than the " + std::to_string(limits_.max_depth) + " levels allowed");
  }
  if (++values_ > limits_.max_values) {
    fail("more than the " + std::to_string(limits_.max_values) + " values allowed");
  }
  Json out;
  out.parent_ = parent;
  const char c = peek();
  if (c == '{') {
    object(out, depth);
  } else if (c == '[') {
    array(out, depth);
  } else if (c == '"') {
    out.scalar_ = string();
  } else if (literal("true")) {
    out.scalar_ = true;
  } else if (literal("false")) {
    out.scalar_ = false;
  } else if (literal("null")) {
    out.scalar_ = std::monostate();
  } else if (limits_.allow_nan && literal("NaN")) {
    out.scalar_ = std::numeric_limits<double>::quiet_NaN();
  } else if (limits_.allow_nan && literal("Infinity")) {
    out.scalar_ = std::numeric_limits<double>::infinity();
  } else if (limits_.allow_nan && literal("-Infinity")) {
    out.scalar_ = -std::numeric_limits<double>::infinity();
  } else if (c == '-' || (c >= '0' && c <= '9')) {
    number(out);
  } else {
    fail("expected a value but found " + found());
  }
  return out;
}

void JsonParser::array(Json& out, std::size_t depth) {
  out.node_ = std::make_unique<Node>();
  Node& node = *out.node_;
  node.type = Json::Type::Array;
  node.parent = out.parent_;
  take('[');
  skip_space();
  if (take(']')) return;
  do {
    node.items.push_back(value(&node, depth + 1));
    skip_space();
  } while (take(','));
  if (!take(']')) fail("expected ',' or ']' but found " + found());
}

void JsonParser::object(Json& out, std::size_t depth) {
  out.node_ = std::make_unique<Node>();
  Node& node = *out.node_;
  node.type = Json::Type::Object;
  node.parent = out.parent_;
  take('{');
  skip_space();
  if (take('}')) return;
  std::vector<std::size_t> key_starts;
  do {
    skip_space();
    if (peek() != '"') fail("expected a member name in double quotes but found " + found());
    key_starts.push_back(at_);
    std::string key = string();
    skip_space();
    if (!take(':')) fail("expected ':' but found " + found());
    node.members.push_back({std::move(key), value(&node, depth + 1)});
    skip_space();
  } while (take(','));
  if (!take('}')) fail("expected ',' or '}' but found " + found());
  refuse_duplicate_keys(node, key_starts);
}

void JsonParser::refuse_duplicate_keys(Node& node, const std::vector<std::size_t>& key_starts) {
  node.by_key.resize(node.members.size());
  std::iota(node.by_key.begin(), node.by_key.end(), 0U);
  const auto key_of = [&](std::uint32_t i) { return std::string_view(node.members[i].key); };
  // Ties in the order of the file, so that the second of two is the one complained of.
  std::ranges::sort(node.by_key, {}, [&](std::uint32_t i) { return std::pair(key_of(i), i); });
  const auto twin = std::ranges::adjacent_find(node.by_key, {}, key_of);
  if (twin == node.by_key.end()) return;
  const std::uint32_t second = *std::next(twin);
  fail_at(key_starts[second], "member " + in_quotes(key_of(second)) + " appears twice");
}

std::string JsonParser::string() {
  const std::size_t start = at_;
  std::string out;
  take('"');
  for (;;) {
    // Plain ASCII runs are nearly everything there is.
    std::size_t run = at_;
    while (run < text_.size() && text_[run] != '"' && text_[run] != '\\' &&
           static_cast<unsigned char>(text_[run]) >= 0x20 &&
           static_cast<unsigned char>(text_[run]) < 0x80) {
      ++run;
    }
    out.append(text_, at_, run - at_);
    at_ = run;
    if (at_end()) fail_at(start, "a string that does not end");
    if (take('"')) return out;
    if (take('\\')) {
      escape(out);
      continue;
    }
    const std::size_t size = utf8_char_size(text_.substr(at_));
    if (size == 0) fail("a string with invalid UTF-8");
    if (size == 1) fail("a string with an unescaped control character");
    out.append(text_, at_, size);
    at_ += size;
  }
}

void JsonParser::escape(std::string& out) {
  constexpr std::string_view letters = "\"\\/bfnrt";
  constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
  const std::size_t start = at_ - 1;
  const std::size_t simple = at_end() ? std::string_view::npos : letters.find(text_[at_]);
  if (simple != std::string_view::npos) {
    out += meanings[simple];
    ++at_;
    return;
  }
  if (!take('u')) fail_at(start, "an unknown escape in a string");
  std::uint32_t code = hex4();
  if (code >= 0xD800 && code <= 0xDFFF) {
    const bool high = code < 0xDC00 && take('\\') && take('u');
    const std::uint32_t low = high ? hex4() : 0;
    if (low < 0xDC00 || low > 0xDFFF) fail_at(start, "half of a surrogate pair in a string");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  const auto continuation = [&](int shift) { put(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    continuation(0);
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    continuation(6);
    continuation(0);
  } else {
    put(0xF0 | (code >> 18));
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

std::uint32_t JsonParser::hex4() {
  std::uint32_t code = 0;
  const std::string_view four = text_.substr(at_, 4);
  const auto [end, error] = std::from_chars(four.data(), four.data() + four.size(), code, 16);
  if (error != std::errc() || end != four.data() + 4) fail("expected four hexadecimal digits");
  at_ += 4;
  return code;
}

void JsonParser::number(Json& out) {
  const std::size_t start = at_;
  take('-');
  if (!take('0')) digits();
  bool integer = true;
  if (take('.')) {
    digits();
    integer = false;
  }
  if (take('e') || take('E')) {
    if (!take('+')) take('-');
    digits();
    integer = false;
  }
  const std::string written(text_.substr(start, at_ - start));
  if (integer) {
    std::int64_t exact = 0;
    const char* end = written.data() + written.size();
    if (std::from_chars(written.data(), end, exact).ec == std::errc()) {
      out.scalar_ = exact;
      return;
    }
  }
  // Not strtod, which reads "0,5" where the host program has set such a locale; and from_chars for
  // floating point is missing from the C++ library of older macOS versions.
  static const locale_t c_locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
  const double rounded = ::strtod_l(written.c_str(), nullptr, c_locale);
  if (std::isinf(rounded)) {
    fail_at(start, "the number " + printable(written, 40) + " is beyond what a double can hold");
  }
  out.scalar_ = rounded;
}

void JsonParser::digits() {
  const std::size_t start = at_;
  while (peek() >= '0' && peek() <= '9') ++at_;
  if (at_ == start) fail("expected a digit but found " + found());
}

bool JsonParser::literal(std::string_view word) {
  if (!text_.substr(at_).starts_with(word)) return false;
  at_ += word.size();
  return true;
}

bool JsonParser::take(char c) {
  if (at_end() || text_[at_] != c) return false;
  ++at_;
  return true;
}

void JsonParser::skip_space() {
  while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
}

std::string JsonParser::found() const {
  if (at_end()) return "the end of the text";
  const std::size_t size = utf8_char_size(text_.substr(at_));
  return in_quotes(text_.substr(at_, size == 0 ? 1 : size));
}

void JsonParser::fail_at(std::size_t offset, const std::string& what) const {
  const std::string_view before = text_.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t last_break = before.rfind('\n');
  const std::size_t column =
      last_break == std::string_view::npos ? offset + 1 : offset - last_break;
  throw JsonError(std::string(who_) + ", line " + std::to_string(line) + ", column " +
                  std::to_string(column) + ": " + what);
}

}  // namespace convergio::io
