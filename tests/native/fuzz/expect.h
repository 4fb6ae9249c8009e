// What a fuzz target holds true: a broken expectation stops the run, as a crash does.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "io/text.h"

#define EXPECT(condition)                                                           \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                 \
    }                                                                               \
  } while (false)

// A message for people: one bounded line of valid UTF-8, "[speaker] …; ….".
inline void expect_sentence(std::string_view message) {
  EXPECT(message.size() < 16384);
  EXPECT(message.starts_with('['));
  EXPECT(message.ends_with('.'));
  EXPECT(message.find("] ") != message.npos);
  EXPECT(message.find("; ") != message.npos);
  for (std::string_view rest = message; !rest.empty();) {
    const std::size_t size = convergio::io::utf8_char_size(rest);
    EXPECT(size > 0);
    EXPECT(static_cast<unsigned char>(rest.front()) >= 0x20);
    rest.remove_prefix(size);
  }
}
