#include <string>

#include "check.h"
#include "io/text.h"

using convergio::io::in_quotes;
using convergio::io::printable;
using convergio::io::utf8_char_size;

TEST(utf8_char_size_of_valid_characters) {
  CHECK_EQ(utf8_char_size("a"), 1);
  CHECK_EQ(utf8_char_size("\xC2\x80"), 2);
  CHECK_EQ(utf8_char_size("\xDF\xBFz"), 2);
  CHECK_EQ(utf8_char_size("\xE0\xA0\x80"), 3);
  CHECK_EQ(utf8_char_size("\xED\x9F\xBF"), 3);
  CHECK_EQ(utf8_char_size("\xEE\x80\x80"), 3);
  CHECK_EQ(utf8_char_size("\xF0\x90\x80\x80"), 4);
  CHECK_EQ(utf8_char_size("\xF4\x8F\xBF\xBF"), 4);
}

TEST(utf8_char_size_of_invalid_bytes_is_zero) {
  for (const char* bytes :
       {"", "\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2z", "\xE0\x9F\xBF", "\xE1\x80",
        "\xE1\x80z", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF1\x80\x80",
        "\xF1\x80\x80z", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    CHECK_EQ(utf8_char_size(bytes), 0);
  }
}

// Every lead and second byte with good continuations, against the table of the Unicode standard.
TEST(utf8_char_size_agrees_with_the_ranges_of_the_standard) {
  for (int lead = 0x80; lead < 0x100; ++lead) {
    for (int second = 0; second < 0x100; ++second) {
      const int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
      const int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
      const bool follows = second >= low && second <= high;
      const std::size_t size = lead < 0xC2   ? 0U
                               : lead < 0xE0 ? 2U
                               : lead < 0xF0 ? 3U
                               : lead < 0xF5 ? 4U
                                             : 0U;
      const std::string bytes = {static_cast<char>(lead), static_cast<char>(second), '\x80',
                                 '\x80'};
      CHECK_EQ(utf8_char_size(bytes), follows ? size : 0U);
    }
  }
}

TEST(printable_keeps_text_and_escapes_the_rest) {
  CHECK_EQ(printable("model.layers.0"), "model.layers.0");
  CHECK_EQ(printable("größe → 好"), "größe → 好");
  CHECK_EQ(printable("a\nb\tc\x1b[31m\x7f"), "a\\nb\\tc\\x1b[31m\\x7f");
  CHECK_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  CHECK_EQ(printable(std::string("a\0b", 3)), "a\\x00b");
  CHECK_EQ(in_quotes("a"), "'a'");
}

TEST(printable_cuts_between_characters) {
  CHECK_EQ(printable("abcdef", 6), "abcdef");
  CHECK_EQ(printable("abcdefg", 6), "abcdef...");
  CHECK_EQ(printable("abcd好", 6), "abcd...");
  CHECK_EQ(printable("", 0), "");
}
