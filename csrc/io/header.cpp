#include "io/header.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "io/json.h"
#include "io/text.h"

namespace convergio::io {
namespace {

// The reference implementation's bound; the largest checkpoints stay below a tenth of it.
constexpr std::size_t max_header_bytes = 100'000'000;

std::string number(std::uint64_t value) { return std::to_string(value); }

std::string bytes_of(std::uint64_t count) {
  return number(count) + (count == 1 ? " byte" : " bytes");
}

struct Range {
  std::string_view tensor;
  std::uint64_t begin, end;
};

class HeaderReader {
 public:
  HeaderReader(std::span<const std::byte> file, std::string_view name, Faults& faults)
      : file_(file), name_(name), faults_(faults) {}

  Header read();

 private:
  std::optional<std::string_view> header_text();
  void read_metadata(const Json& value);
  void read_tensor(const std::string& tensor, const Json& entry);
  std::optional<Dtype> read_dtype(const std::string& tensor, const Json& entry);
  std::optional<std::vector<std::int64_t>> read_shape(const std::string& tensor, const Json& entry);
  std::optional<Range> read_range(const std::string& tensor, const Json& entry);
  void check_end();
  void check_cover(std::vector<Range> ranges);

  std::uint64_t data_bytes() const { return file_.size() - data_begin_; }
  void fault(const std::string& what, ErrorKind kind = ErrorKind::ModelCorrupt) {
    faults_.add(std::string(name_) + ": " + what, kind);
  }
  void tensor_fault(std::string_view tensor, const std::string& what,
                    ErrorKind kind = ErrorKind::ModelCorrupt) {
    fault("tensor " + in_quotes(tensor) + " " + what, kind);
  }

  std::span<const std::byte> file_;
  std::string_view name_;
  Faults& faults_;
  std::uint64_t data_begin_ = 0;
  std::vector<Range> ranges_;
  bool ranges_complete_ = true;
  Header header_;
};

Header HeaderReader::read() {
  const std::optional<std::string_view> text = header_text();
  if (!text) return {};
  try {
    const JsonLimits limits{.max_bytes = max_header_bytes, .max_depth = 8};
    const Json root = Json::parse(*text, std::string(name_) + ": header", limits);
    header_.tensors.reserve(root.members().size());
    for (const auto& [key, value] : root.members()) {
      if (key == "__metadata__") {
        read_metadata(value);
      } else {
        read_tensor(key, value);
      }
    }
    check_end();
    check_cover(std::move(ranges_));  // names in ranges_ live in root
  } catch (const JsonError& error) {
    faults_.add(error.fault());
  }
  return std::move(header_);
}

std::optional<std::string_view> HeaderReader::header_text() {
  const std::string_view text(reinterpret_cast<const char*>(file_.data()), file_.size());
  if (text.starts_with("version https://git-lfs")) {
    fault("is a Git LFS pointer of " + bytes_of(file_.size()) + " in place of the tensors");
    return std::nullopt;
  }
  if (file_.size() < 8) {
    fault("has " + bytes_of(file_.size()) + ", too few for the 8 bytes of header length");
    return std::nullopt;
  }
  std::uint64_t size = 0;
  for (std::size_t i = 8; i-- > 0;) size = size << 8 | std::to_integer<std::uint64_t>(file_[i]);
  if (size > max_header_bytes) {
    fault("claims a header of " + bytes_of(size) + ", more than the " + number(max_header_bytes) +
          " that the format allows");
    return std::nullopt;
  }
  if (size > file_.size() - 8) {
    fault("claims a header of " + bytes_of(size) + " but only " + number(file_.size() - 8) +
          " follow");
    return std::nullopt;
  }
  data_begin_ = 8 + size;
  const std::string_view header = text.substr(8, size);
  if (!header.starts_with('{')) {
    fault("header does not begin with '{'");
    return std::nullopt;
  }
  return header;
}

void HeaderReader::read_metadata(const Json& value) {
  if (value.is_null()) return;  // the reference implementation allows it
  if (!value.is_object())
    return fault("'__metadata__' must be an object but is " + value.describe());
  for (const auto& [key, text] : value.members()) {
    if (text.is_string()) {
      header_.metadata.emplace(key, text.as_string());
    } else {
      fault("'__metadata__' member " + in_quotes(key) + " must be a string but is " +
            text.describe());
    }
  }
}

void HeaderReader::read_tensor(const std::string& tensor, const Json& entry) {
  if (!entry.is_object()) {
    ranges_complete_ = false;
    return tensor_fault(tensor, "must be an object but is " + entry.describe());
  }
  const std::optional<Dtype> dtype = read_dtype(tensor, entry);
  std::optional<std::vector<std::int64_t>> shape = read_shape(tensor, entry);
  const std::optional<Range> range = read_range(tensor, entry);
  if (!dtype || !shape || !range) return;

  std::uint64_t bytes = 1;
  bool overflow = false;
  for (const std::int64_t dim : *shape) {
    overflow |= __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(dim), &bytes);
  }
  overflow |= __builtin_mul_overflow(bytes, size_of(*dtype), &bytes);
  if (overflow) return tensor_fault(tensor, "has a shape of more than 2^64 bytes");
  const std::uint64_t held = range->end - range->begin;
  if (bytes != held) {
    std::string dims;
    for (const std::int64_t dim : *shape) dims += (dims.empty() ? "" : ", ") + std::to_string(dim);
    return tensor_fault(tensor, "needs " + bytes_of(bytes) + " (" + std::string(name_of(*dtype)) +
                                    " of shape [" + printable(dims, 100) + "]) but holds " +
                                    number(held));
  }
  if (range->end > data_bytes()) return;  // said already
  header_.tensors.push_back({.name = tensor,
                             .dtype = *dtype,
                             .shape = std::move(*shape),
                             .data = file_.data() + data_begin_ + range->begin,
                             .bytes = static_cast<std::size_t>(bytes),
                             .file = nullptr});
}

std::optional<Dtype> HeaderReader::read_dtype(const std::string& tensor, const Json& entry) {
  const Json* value = entry.find("dtype");
  if (value == nullptr || !value->is_string()) {
    tensor_fault(tensor, value == nullptr
                             ? "has no dtype"
                             : "has a dtype that is not a string but " + value->describe());
    return std::nullopt;
  }
  const std::optional<Dtype> dtype = dtype_from_name(value->as_string());
  if (!dtype) {
    tensor_fault(tensor, "has the unknown dtype " + in_quotes(value->as_string()),
                 ErrorKind::UnsupportedModel);
  }
  return dtype;
}

std::optional<std::vector<std::int64_t>> HeaderReader::read_shape(const std::string& tensor,
                                                                  const Json& entry) {
  const Json* value = entry.find("shape");
  if (value == nullptr || !value->is_array()) {
    tensor_fault(tensor, value == nullptr
                             ? "has no shape"
                             : "has a shape that is not an array but " + value->describe());
    return std::nullopt;
  }
  std::vector<std::int64_t> shape;
  shape.reserve(value->items().size());
  for (const Json& dim : value->items()) {
    if (!dim.is_integer() || dim.as_integer() < 0) {
      tensor_fault(tensor, "has a dimension that is not a count but " + dim.describe());
      return std::nullopt;
    }
    shape.push_back(dim.as_integer());
  }
  return shape;
}

std::optional<Range> HeaderReader::read_range(const std::string& tensor, const Json& entry) {
  const Json* value = entry.find("data_offsets");
  const bool pair = value != nullptr && value->is_array() && value->items().size() == 2 &&
                    value->items()[0].is_integer() && value->items()[1].is_integer() &&
                    value->items()[0].as_integer() >= 0 && value->items()[1].as_integer() >= 0;
  if (!pair) {
    ranges_complete_ = false;
    tensor_fault(tensor, "has no data_offsets of two whole numbers");
    return std::nullopt;
  }
  const Range range{tensor, static_cast<std::uint64_t>(value->items()[0].as_integer()),
                    static_cast<std::uint64_t>(value->items()[1].as_integer())};
  if (range.begin > range.end) {
    ranges_complete_ = false;
    tensor_fault(tensor, "begins at " + number(range.begin) + " of the data, after its end at " +
                             number(range.end));
    return std::nullopt;
  }
  ranges_.push_back(range);
  return range;
}

// One fault however many tensors a file that was cut off lacks.
void HeaderReader::check_end() {
  const auto is_beyond = [this](const Range& range) { return range.end > data_bytes(); };
  const std::ptrdiff_t beyond = std::ranges::count_if(ranges_, is_beyond);
  if (beyond == 0) return;
  const Range& last = *std::ranges::max_element(ranges_, {}, &Range::end);
  const std::string others =
      beyond == 1 ? "" : " (" + std::to_string(beyond - 1) + " more end beyond it)";
  tensor_fault(last.tensor, "ends at byte " + number(data_begin_ + last.end) +
                                " but the file has " + number(file_.size()) + others);
}

void HeaderReader::check_cover(std::vector<Range> ranges) {
  std::ranges::sort(ranges, {}, [](const Range& r) { return std::pair(r.begin, r.end); });
  Range last{"", 0, 0};
  for (const Range& range : ranges) {
    if (range.begin < last.end) {
      tensor_fault(range.tensor, "overlaps tensor " + in_quotes(last.tensor) + " by " +
                                     bytes_of(std::min(last.end, range.end) - range.begin));
    } else if (range.begin > last.end && ranges_complete_) {
      fault("no tensor covers the " + bytes_of(range.begin - last.end) + " before tensor " +
            in_quotes(range.tensor));
    }
    if (range.end >= last.end) last = range;
  }
  if (ranges_complete_ && last.end < data_bytes()) {
    fault("no tensor covers the " + bytes_of(data_bytes() - last.end) + " at the end");
  }
}

}  // namespace

Header read_header(std::span<const std::byte> file, std::string_view name, Faults& faults) {
  return HeaderReader(file, name, faults).read();
}

}  // namespace convergio::io
