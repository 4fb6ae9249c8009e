// Text that may come from a damaged file, made fit for a message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace convergio::io {

// Bytes of the UTF-8 character that text begins with (1 to 4); 0 when it begins with none: empty,
// a stray or missing continuation byte, an overlong form, a surrogate, beyond U+10FFFF.
std::size_t utf8_char_size(std::string_view text) noexcept;

// text as valid UTF-8 on one line: control characters and invalid bytes as \n, \t or \xNN, and what
// is longer than max_bytes cut, with "..." after it.
std::string printable(std::string_view text, std::size_t max_bytes = 200);

std::string in_quotes(std::string_view text);  // printable between single quotes

}  // namespace convergio::io
