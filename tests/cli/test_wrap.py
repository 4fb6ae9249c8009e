"""Words kept whole at the edge, whatever the pieces they come in."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convergio_mlx.cli.wrap import Wrapper, cells

texts = st.text(alphabet="ab \n\té日\u0301-", max_size=120)


def wrapped(pieces: list[str], width: int) -> str:
    wrapper = Wrapper(lambda: width)
    return "".join(map(wrapper.feed, pieces)) + wrapper.finish()


@given(st.lists(texts, max_size=6), st.integers(0, 20))
def test_pieces_do_not_matter(pieces: list[str], width: int) -> None:
    assert wrapped(pieces, width) == wrapped(["".join(pieces)], width)


@given(texts, st.integers(1, 20))
def test_only_white_space_becomes_new_lines(text: str, width: int) -> None:
    def letters(of: str) -> str:
        return re.sub(r"[ \t\n]", "", of)

    assert letters(wrapped([text], width)) == letters(text)


@given(texts)
def test_a_wide_window_changes_nothing(text: str) -> None:
    assert wrapped([text], 10_000) == text
    assert wrapped([text], 0) == text


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=9), max_size=30))
def test_no_word_crosses_the_edge(words: list[str]) -> None:
    lines = wrapped([" ".join(words)], 10).split("\n")
    assert all(len(line.rstrip(" ")) <= 10 for line in lines)
    assert " ".join(lines).split() == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one two three", "one two\nthree"),
        ("one two\nthree", "one two\nthree"),
        ("    indented code", "    indented\ncode"),
        ("a longlongword b", "a\nlonglongword\nb"),
        ("日本語日本語", "日本語日\n本語"),
        ("1234567\t8", "1234567\n8"),
    ],
)
def test_lines_of_eight_columns(text: str, shown: str) -> None:
    assert wrapped([text], 8) == shown


def test_a_word_is_held_back_until_it_is_known_to_fit() -> None:
    wrapper = Wrapper(lambda: 8)
    assert [wrapper.feed(piece) for piece in ("one", " t", "hrees", " x")] == [
        "",
        "one",
        "",
        "\nthrees",
    ]
    assert wrapper.finish() == " x"


def test_the_width_may_change_on_the_way() -> None:
    width = 20
    wrapper = Wrapper(lambda: width)
    shown = wrapper.feed("one two three ")
    width = 8
    assert shown + wrapper.feed("four five six ") == "one two three\nfour\nfive six"


def test_cells() -> None:
    assert cells("aé日e\u0301\u200d") == 1 + 1 + 2 + 1
