"""What reaches the screen."""

import io
import unicodedata

from convergio_mlx.cli.output import Stream, neutral


def test_no_control_character_passes_but_newline_and_tab() -> None:
    every = "".join(map(chr, range(0x110000)))
    shown = neutral(every)
    assert {letter for letter in shown if unicodedata.category(letter) == "Cc"} == {"\n", "\t"}
    assert neutral("a\x1b[31m\x07\x00\x7f\x9b\r\n\tb") == "a^[[31m^G^@^?\\x9b\n\tb"


def test_other_characters_are_left_alone() -> None:
    text = "".join(
        letter
        for letter in map(chr, range(0x3000))
        if unicodedata.category(letter) != "Cc" or letter in "\n\t"
    )
    assert neutral(text) == text


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
