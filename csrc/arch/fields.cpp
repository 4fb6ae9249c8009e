#include "arch/fields.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "io/error.h"

namespace convergio::arch {

using io::Json;

namespace {

constexpr const char* kRemedy = "; download the model again or correct the file.";

}  // namespace

void corrupt(const std::string& what) {
  throw Error(ErrorKind::ModelCorrupt, "[config] config.json: " + what + kRemedy);
}

void corrupt(const Json& value, const std::string& wanted) {
  throw Error(ErrorKind::ModelCorrupt, "[config] " + value.where() + " is " + value.describe() +
                                           ", which must be " + wanted + kRemedy);
}

const Json* present(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

bool is_none(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_null();
}

int integer_in(const Json& value, int low, int high) {
  const std::int64_t number = value.as_integer();
  if (number < low || number > high) {
    corrupt(value, "from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return static_cast<int>(number);
}

int integer_or(const Json& json, std::string_view key, int low, int high, int fallback) {
  const Json* value = present(json, key);
  return value == nullptr ? fallback : integer_in(*value, low, high);
}

double tokens_of(const Json& value) {
  const double number = value.as_number();
  if (!(number >= 1)) {  // NaN too
    corrupt(value, "at least 1");
  }
  return std::min(number, 1e30);  // ratios of two of them stay finite
}

double positive(const Json& value, int digits) {
  const double number = value.as_number();
  const bool in_range = number >= std::pow(10, -digits) && number <= std::pow(10, digits);
  if (!in_range) {  // NaN too
    const std::string text = std::to_string(digits);
    corrupt(value, "from 1e-" + text + " to 1e" + text);
  }
  return number;
}

double positive_or(const Json& json, std::string_view key, double fallback, int digits) {
  const Json* value = present(json, key);
  return value == nullptr ? fallback : positive(*value, digits);
}

double optional_or(const Json& json, std::string_view key, double fallback) {
  if (is_none(json, key)) {
    return 0;
  }
  const Json* value = json.find(key);
  return value != nullptr && value->as_number() == 0 ? 0 : positive_or(json, key, fallback);
}

bool flag_or(const Json& json, std::string_view key, bool fallback) {
  const Json* value = present(json, key);
  return value == nullptr ? fallback : value->as_bool();
}

}  // namespace convergio::arch
