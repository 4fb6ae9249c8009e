"""What reaches the screen."""

import io
import re
import unicodedata

import pytest

from convergio_mlx.cli.neutral import neutral
from convergio_mlx.cli.output import Stream


def test_no_control_character_passes_but_newline_and_tab() -> None:
    every = "".join(map(chr, range(0x110000)))
    shown = neutral(every)
    assert {letter for letter in shown if unicodedata.category(letter) == "Cc"} == {"\n", "\t"}
    assert neutral("a\x1b[31m\x07\x00\x7f\x9b\r\n\tb") == "a^[[31m^G^@^?\\x9b\n\tb"


def test_other_characters_are_left_alone() -> None:
    text = "".join(
        letter
        for letter in map(chr, range(0x3000))
        if unicodedata.category(letter) not in {"Cc", "Cf", "Zl", "Zp"} or letter in "\n\t"
    )
    text = re.sub("[\u180b-\u180f]", "", text)  # selectors, which some letters may have
    hidden = "\u034f\u115f\u1160\u17b4\u17b5\u2065"
    assert neutral(text) == "".join(f"\\u{ord(a):04x}" if a in hidden else a for a in text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("pass\u200bword\ufeff", "pass\\u200bword\\ufeff"),
        ("a\u200db", "a\\u200db"),
        ("hi\U000e0041\U000e007f", "hi\\U000e0041\\U000e007f"),
        ("\u2028\u2029\u00ad", "\\u2028\\u2029\\u00ad"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, shown: str) -> None:
    assert neutral(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",
        "\u0915\u094d\u200d\u0937",
        "👩\u200d💻",
        "❤\ufe0f\u200d🔥",
        "1\ufe0f\u20e3",
        "葛\U000e0100",
    ],
)
def test_writing_and_emoji_keep_their_joiners(text: str) -> None:
    assert neutral(text) == text
    sink = io.StringIO()
    stream = Stream(sink)
    for letter in text:
        stream.write(letter)
    assert sink.getvalue() == text


def test_no_message_hides_behind_a_letter() -> None:
    assert neutral("😀\ufe01\ufe02\ufe03") == "😀\ufe01\\ufe02\\ufe03"
    assert neutral("日\u200d\u200c\u200d") == "日\u200d\\u200c\\u200d"


def test_a_line_of_its_own() -> None:
    sink = io.StringIO()
    stream = Stream(sink)
    stream.write("half")
    stream.line("whole", lead="error: ", style="31")
    stream.end_line()
    assert sink.getvalue() == "half\nerror: whole\n"


def test_what_the_encoding_lacks_becomes_a_question_mark() -> None:
    data = io.BytesIO()
    text = io.TextIOWrapper(data, encoding="ascii")
    Stream(text).write("naïve 日本\ud800\n")
    assert data.getvalue() == b"na?ve ???\n"
