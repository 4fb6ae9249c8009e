"""Grammars over a vocabulary: read beside a loop that turns, and masks of odd vocabularies."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
import tokenizers
from tokenizers import AddedToken, decoders, models

from convergio_mlx.errors import ConstraintError, InvalidRequestError, UnavailableError
from convergio_mlx.platform.native import native
from convergio_mlx.structured.grammars import Grammars, grammars_of
from convergio_mlx.structured.library import library
from convergio_mlx.text.tokenizer import Tokenizer
from loop_turns import expect_turns

LARGE = 128_000


def large() -> Tokenizer:
    pieces = {letter: index for index, letter in enumerate(ascii_lowercase)}
    while len(pieces) < LARGE:
        number = len(pieces)
        pieces[f"{ascii_lowercase[number % 26]}{number:x}"] = number
    backend = tokenizers.Tokenizer(models.WordLevel(pieces, "a"))
    backend.decoder = decoders.ByteLevel()
    return Tokenizer(backend)


def letters(text: str) -> list[int]:
    return ["ab".index(letter) for letter in text]


def compiled(grammars: Grammars, lark: str, **options: Any) -> Any:
    constraint = grammars.constraint(lark, **{"vocab_size": 4, **options})
    assert constraint.wait(60)
    return constraint


@pytest.mark.slow
def test_the_loop_turns_while_a_vocabulary_is_read() -> None:
    Grammars([b"a", b"b"], (), letters)  # loads the library

    kept: list[Tokenizer] = []  # to free one holds the GIL for 20 ms

    def making() -> Awaitable[object]:
        kept.append(large())
        return asyncio.to_thread(lambda: grammars_of(kept[-1], ()).prepare())

    expect_turns(making)


def test_ids_with_gaps_between() -> None:
    backend = tokenizers.Tokenizer(models.WordLevel({"a": 0, "b": 2, "c": 9}, "a"))
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens([AddedToken("<x>", special=True)])
    assert Tokenizer(backend).token_bytes() == [b"a", b"", b"b", b"<x>", *[b""] * 5, b"c"]


def test_a_mask_has_a_bit_for_each_token_that_may_follow() -> None:
    grammars = Grammars([b"a", b"b", b"ab", b"<x>"], {3}, letters)
    constraint = compiled(grammars, "start: /a?b/ <[3]>")
    assert constraint([]) == (0b0111).to_bytes(4, "little")
    assert constraint.allows([0, 1, 3])
    assert not constraint.allows([1, 3, 0])
    assert constraint([0]) == [1, 3]
    assert constraint([1, 3]) is None


def test_each_answer_begins_at_the_beginning() -> None:
    grammars = Grammars([b"a", b"b"], (), letters)
    first, second = (compiled(grammars, "start: /a(a|b)/") for _ in range(2))
    assert first([]) == second([]) == [0]
    assert first([0]) == (0b11).to_bytes(4, "little")
    assert second([0]) == first([]) == (0b11).to_bytes(4, "little")


def test_stop_tokens_follow_where_the_answer_may_end() -> None:
    grammars = Grammars([b"a", b"b", b"ab", b"<x>"], {3}, letters)
    constraint = compiled(grammars, "start: /a[ab]*/", stop_tokens=[3])
    assert constraint([]) == (0b0101).to_bytes(4, "little")
    assert constraint([0]) == (0b1111).to_bytes(4, "little")


def test_ids_beyond_the_tokenizer_never_follow() -> None:
    """llguidance's own end of a text has the id after the last."""
    grammars = Grammars([b"a", b"b"], (), letters)
    constraint = compiled(grammars, "start: /a*/", vocab_size=70)
    assert constraint([]) == (0b01).to_bytes(12, "little")
    whole = Grammars([b"a", b"b"] * 16, (), letters)
    constraint = compiled(whole, "start: /[ab]*/", vocab_size=33)
    assert constraint([]) == b"\xff" * 4 + bytes(4)


def test_a_token_that_may_not_follow_is_an_error() -> None:
    constraint = compiled(Grammars([b"a", b"b"], (), letters), "start: /a{2,5}/")
    with pytest.raises(ConstraintError) as caught:
        constraint([1])
    sentence = str(caught.value)
    assert sentence.startswith(
        "[constraint] the answer's grammar cannot be followed any further (Parser Error: token "
        '"b" doesn\'t satisfy the grammar; '
    )
    assert sentence.endswith("); make the schema, pattern or grammar simpler.")


def test_a_grammar_that_is_refused_says_why_each_time() -> None:
    grammars = Grammars([b"a", b"b"], (), letters)
    for _ in range(2):
        with pytest.raises(InvalidRequestError) as caught:
            compiled(grammars, "start: nothing")
        assert str(caught.value) == (
            '[structured] the answer\'s form cannot be enforced (unknown name: "nothing"); change '
            "the schema, pattern or grammar."
        )


def test_a_tokenizer_that_fails_or_lies_about_a_text_is_passed_over() -> None:
    def failing(text: str) -> list[int]:
        raise ValueError(text)

    for encode in (failing, lambda _: [0], lambda _: [7], lambda _: [3, 3]):
        grammars = Grammars([b"a", b"b", b"ab", b"<x>"], {3}, encode)
        assert compiled(grammars, 'start: "abb"')([]) == [2, 1]


def test_a_library_that_is_none_of_llguidance(tmp_path: Path) -> None:
    for path in (tmp_path / "none.so", Path(native().__file__)):
        with pytest.raises(UnavailableError) as caught:
            native().Grammars(str(path), [b"a"], [], letters)
        assert str(caught.value).startswith("[structured] the library of llguidance ")
        assert str(caught.value).endswith(
            "; install it with `pip install 'llguidance>=1.9,<1.10'`."
        )


def test_without_llguidance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convergio_mlx.structured.library.find_spec", lambda _: None)
    library.cache_clear()
    with pytest.raises(UnavailableError) as caught:
        Grammars([b"a", b"b"], (), letters)
    library.cache_clear()
    remedy = "pip install 'llguidance>=1.9,<1.10'"
    assert caught.value.hint == remedy
    assert str(caught.value) == (
        "[structured] llguidance is not installed, which answers held to a form or with tools "
        f"need; run `{remedy}`."
    )
