#pragma once

#include <string>
#include <string_view>

#include "io/json.h"

namespace convergio::arch {

/// Typed look-ups in config.json. Those that find something wrong throw Error (ModelCorrupt) that
/// names the field and its value.

[[noreturn]] void corrupt(const std::string& what);
[[noreturn]] void corrupt(const io::Json& value, const std::string& wanted);

/// nullptr where the key is missing or null.
const io::Json* present(const io::Json& json, std::string_view key);

/// Whether the key is there and null, which is "none" for a key that may be none.
bool is_none(const io::Json& json, std::string_view key);

int integer_in(const io::Json& value, int low, int high);
int integer_or(const io::Json& json, std::string_view key, int low, int high, int fallback);

/// A number of tokens, at least 1; one beyond what a cache can count is as good as no bound.
double tokens_of(const io::Json& value);
constexpr int kMostTokens = 1 << 28;
constexpr int kMaxLayers = 4096;

/// A finite number above zero, from 1e-`digits` to 1e`digits`: far enough from where float32 ends
/// that sums stay inside.
double positive(const io::Json& value, int digits = 30);
double positive_or(const io::Json& json, std::string_view key, double fallback, int digits = 30);

/// The same for a key that may be none: null and 0 are 0.
double optional_or(const io::Json& json, std::string_view key, double fallback);

bool flag_or(const io::Json& json, std::string_view key, bool fallback);

}  // namespace convergio::arch
