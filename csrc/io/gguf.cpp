#include "io/gguf.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_set>
#include <utility>

#include "io/gguf_cursor.h"
#include "io/text.h"

namespace convergio::io {
namespace {

constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kMostAlignment = 1 << 20;
constexpr std::uint32_t kMostDims = 4;

std::string number(std::uint64_t value) { return std::to_string(value); }

// Bytes of a number; 0 of a string.
std::uint64_t size_of(GgufType type) {
  constexpr std::array<std::uint64_t, 13> kSizes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kSizes[static_cast<std::size_t>(type)];
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = utf8_char_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

class GgufReader {
 public:
  GgufReader(std::span<const std::byte> file, std::string_view name, Faults& faults,
             const GgufLimits& limits)
      : file_(file), cursor_(file), name_(name), faults_(faults), limits_(limits) {}

  GgufHeader read();

 private:
  // The place of a tensor's bytes, counted from the first byte after the head.
  struct Entry {
    GgufTensor tensor;
    std::uint64_t offset;
    std::uint64_t bytes;
  };

  bool read_start();
  void read_keys(std::uint64_t count);
  GgufValue read_value(std::string_view key);
  GgufType read_type(std::string_view key, bool in_array);
  std::optional<Entry> read_tensor();
  void place(std::vector<Entry> entries);
  std::uint64_t alignment() const;
  std::uint64_t counted(std::string_view what, std::uint64_t most, std::uint64_t least_bytes);
  std::string_view read_name(std::string_view what);

  void fault(const std::string& what, ErrorKind kind = ErrorKind::ModelCorrupt) {
    faults_.add(std::string(name_) + ": " + what, kind);
  }

  std::span<const std::byte> file_;
  GgufCursor cursor_;
  std::string_view name_;
  Faults& faults_;
  const GgufLimits& limits_;
  std::uint64_t array_items_ = 0;
  GgufHeader header_;
};

GgufHeader GgufReader::read() {
  try {
    if (!read_start()) return {};
    const std::uint64_t tensors = counted("tensors", limits_.tensors, 24);
    const std::uint64_t keys = counted("keys", limits_.keys, 13);
    read_keys(keys);
    std::vector<Entry> entries;
    std::unordered_set<std::string> names;
    for (std::uint64_t i = 0; i < tensors; ++i) {
      std::optional<Entry> entry = read_tensor();
      if (!entry) continue;
      if (names.insert(entry->tensor.name).second) {
        entries.push_back(*std::move(entry));
      } else {
        fault("tensor " + in_quotes(entry->tensor.name) + " is listed twice");
      }
    }
    place(std::move(entries));
  } catch (const GgufFault& stopped) {
    fault(stopped.what);
  }
  return std::move(header_);
}

bool GgufReader::read_start() {
  const auto magic = cursor_.take(std::min<std::uint64_t>(4, file_.size()), "the magic number");
  const std::string_view word(reinterpret_cast<const char*>(magic.data()), magic.size());
  if (word != "GGUF") {
    fault("begins with " + in_quotes(word) + " in place of 'GGUF'");
    return false;
  }
  header_.version = cursor_.number<std::uint32_t>("the version");
  if (header_.version != 0 && (header_.version & 0xFFFF) == 0) {
    fault("its numbers are big-endian, and only little-endian files are read",
          ErrorKind::UnsupportedModel);
    return false;
  }
  if (header_.version != 2 && header_.version != 3) {
    fault("is of GGUF version " + number(header_.version) + ", and versions 2 and 3 are read",
          ErrorKind::UnsupportedModel);
    return false;
  }
  return true;
}

// A count of things that take at least so many bytes each.
std::uint64_t GgufReader::counted(std::string_view what, std::uint64_t most,
                                  std::uint64_t least_bytes) {
  const auto count = cursor_.number<std::uint64_t>("the number of " + std::string(what));
  if (count > most) {
    throw GgufFault{"claims " + number(count) + " " + std::string(what) + ", more than the " +
                    number(most) + " that are read"};
  }
  if (count > cursor_.left() / least_bytes) {
    throw GgufFault{"claims " + number(count) + " " + std::string(what) + " but only " +
                    number(cursor_.left()) + " bytes follow"};
  }
  return count;
}

std::string_view GgufReader::read_name(std::string_view what) {
  const std::string_view name = cursor_.string("the name of a " + std::string(what));
  if (name.empty() || name.size() > limits_.name_bytes || !is_utf8(name)) {
    throw GgufFault{"the name of a " + std::string(what) + ", " + in_quotes(name) +
                    ", must be 1 to " + number(limits_.name_bytes) + " bytes of UTF-8"};
  }
  return name;
}

void GgufReader::read_keys(std::uint64_t count) {
  std::unordered_set<std::string_view> names;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view name = read_name("key");
    GgufKey key{.name = std::string(name), .value = read_value(name)};
    if (names.insert(name).second) {
      header_.keys.push_back(std::move(key));
    } else {
      fault("key " + in_quotes(name) + " is there twice");
    }
  }
}

GgufType GgufReader::read_type(std::string_view key, bool in_array) {
  const auto type = cursor_.number<std::uint32_t>("the type of key " + in_quotes(key));
  const bool is_array = type == static_cast<std::uint32_t>(GgufType::Array);
  if (type > static_cast<std::uint32_t>(GgufType::F64) || (in_array && is_array)) {
    throw GgufFault{
        "key " + in_quotes(key) + " has " +
        (is_array ? "an array of arrays, which no model has" : "the unknown type " + number(type))};
  }
  return static_cast<GgufType>(type);
}

GgufValue GgufReader::read_value(std::string_view key) {
  GgufValue value{.is_array = false, .item = read_type(key, false), .count = 1, .data = {}};
  if (value.item == GgufType::Array) {
    value.is_array = true;
    value.item = read_type(key, true);
    value.count = counted("items of key " + in_quotes(key), limits_.array_items - array_items_,
                          std::max<std::uint64_t>(size_of(value.item), 1));
    array_items_ += value.count;
  }
  const std::uint64_t begin = cursor_.at();
  const std::string what = "the value of key " + in_quotes(key);
  if (value.item == GgufType::String) {
    for (std::uint64_t i = 0; i < value.count; ++i) cursor_.string(what);
  } else {
    cursor_.take(value.count * size_of(value.item), what);
  }
  value.data = file_.subspan(begin, cursor_.at() - begin);
  if (value.item == GgufType::Bool &&
      std::ranges::any_of(value.data, [](std::byte b) { return b > std::byte{1}; })) {
    throw GgufFault{"key " + in_quotes(key) + " has a truth value that is neither 0 nor 1"};
  }
  return value;
}

// nullopt where a fault of the tensor alone was noted.
std::optional<GgufReader::Entry> GgufReader::read_tensor() {
  const std::string name(read_name("tensor"));
  const std::string shown = "tensor " + in_quotes(name);
  const auto dims = cursor_.number<std::uint32_t>("the dimensions of " + shown);
  if (dims < 1 || dims > kMostDims) {
    throw GgufFault{shown + " has " + number(dims) + " dimensions, which must be 1 to " +
                    number(kMostDims)};
  }
  std::vector<std::int64_t> shape;
  std::uint64_t items = 1;
  bool overflow = false;
  for (std::uint32_t i = 0; i < dims; ++i) {
    const auto dim = cursor_.number<std::uint64_t>("the dimensions of " + shown);
    overflow |= dim > INT64_MAX || __builtin_mul_overflow(items, dim, &items);
    shape.insert(shape.begin(), static_cast<std::int64_t>(dim & INT64_MAX));
  }
  const auto id = cursor_.number<std::uint32_t>("the kind of " + shown);
  const auto offset = cursor_.number<std::uint64_t>("the offset of " + shown);
  const formats::GgufKind* kind = formats::gguf_kind(id);
  if (kind == nullptr) {
    fault(shown + " is of the unknown kind " + number(id), ErrorKind::UnsupportedModel);
    return std::nullopt;
  }
  std::uint64_t bytes = 0;
  overflow |= __builtin_mul_overflow(items / static_cast<std::uint64_t>(kind->items),
                                     static_cast<std::uint64_t>(kind->bytes), &bytes);
  if (overflow || items == 0) {
    fault(shown + (overflow ? " has a shape of more than 2^64 bytes" : " has no numbers"));
    return std::nullopt;
  }
  if (shape.back() % kind->items != 0) {
    fault(shown + " has rows of " + std::to_string(shape.back()) + " numbers, and " +
          std::string(kind->name) + " has blocks of " + std::to_string(kind->items));
    return std::nullopt;
  }
  return Entry{GgufTensor{.name = name, .kind = kind, .shape = std::move(shape), .data = {}},
               offset, bytes};
}

std::uint64_t GgufReader::alignment() const {
  const auto key = std::ranges::find(header_.keys, "general.alignment", &GgufKey::name);
  if (key == header_.keys.end()) return kDefaultAlignment;
  if (key->value.is_array || key->value.item != GgufType::U32) {
    throw GgufFault{"key 'general.alignment' is no number of 32 bits"};
  }
  const auto value = GgufCursor(key->value.data).number<std::uint32_t>("general.alignment");
  if (!std::has_single_bit(value) || value > kMostAlignment) {
    throw GgufFault{"key 'general.alignment' is " + number(value) +
                    ", which must be a power of two up to " + number(kMostAlignment)};
  }
  return value;
}

// Gives tensors their bytes: inside the file, aligned, none in two tensors.
void GgufReader::place(std::vector<Entry> entries) {
  const std::uint64_t unit = alignment();
  const std::uint64_t head = (cursor_.at() + unit - 1) / unit * unit;
  const std::uint64_t room = head < file_.size() ? file_.size() - head : 0;
  std::size_t beyond = 0;
  std::string last;
  std::uint64_t end = 0;
  for (Entry& entry : entries) {
    const std::string shown = "tensor " + in_quotes(entry.tensor.name);
    if (entry.offset % unit != 0) {
      fault(shown + " begins at " + number(entry.offset) + " of the data, no multiple of " +
            number(unit));
    }
    if (entry.offset > room || entry.bytes > room - entry.offset) {
      ++beyond;
      const std::uint64_t its_end =
          entry.offset > UINT64_MAX - entry.bytes ? UINT64_MAX : entry.offset + entry.bytes;
      if (its_end >= end) {
        end = its_end;
        last = shown;
      }
    } else {
      entry.tensor.data = file_.subspan(head + entry.offset, entry.bytes);
    }
  }
  if (beyond > 0) {  // one fault however many tensors a file that was cut off lacks
    fault(last + " ends at byte " + number(end) + " of the data but the file has " + number(room) +
          (beyond == 1 ? "" : " (" + number(beyond - 1) + " more end beyond it)"));
    return;
  }
  std::vector<const Entry*> order;
  for (const Entry& entry : entries) order.push_back(&entry);
  std::ranges::sort(order, {}, [](const Entry* e) { return std::pair(e->offset, e->bytes); });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const Entry& before = *order[i - 1];
    if (order[i]->offset < before.offset + before.bytes) {
      fault("tensor " + in_quotes(order[i]->tensor.name) + " overlaps tensor " +
            in_quotes(before.tensor.name));
    }
  }
  header_.tensors.reserve(entries.size());
  for (Entry& entry : entries) header_.tensors.push_back(std::move(entry.tensor));
}

}  // namespace

GgufHeader read_gguf(std::span<const std::byte> file, std::string_view name, Faults& faults,
                     const GgufLimits& limits) {
  return GgufReader(file, name, faults, limits).read();
}

std::vector<std::string_view> strings_of(const GgufValue& value) {
  GgufCursor cursor(value.data);
  std::vector<std::string_view> strings;
  strings.reserve(value.count);
  for (std::uint64_t i = 0; i < value.count; ++i) strings.push_back(cursor.string("a string"));
  return strings;
}

}  // namespace convergio::io
