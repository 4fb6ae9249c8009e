"""The token table: made beside a loop that turns, and right for odd vocabularies."""

import asyncio
from collections.abc import Awaitable
from importlib.metadata import version
from string import ascii_lowercase

import pytest
import tokenizers
from tokenizers import AddedToken, decoders, models

from convergio_mlx.errors import UnavailableError
from convergio_mlx.structured import llg
from convergio_mlx.structured.llg import TokenTable
from convergio_mlx.structured.token_table import matchers_of
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


def test_the_loop_turns_while_the_table_is_made() -> None:
    TokenTable([b"a", b""], (), letters)  # loads the library

    kept: list[Tokenizer] = []  # to free one holds the GIL for 20 ms

    def making() -> Awaitable[object]:
        kept.append(large())
        return asyncio.to_thread(matchers_of, kept[-1], ())

    expect_turns(making)


def test_ids_with_gaps_between() -> None:
    backend = tokenizers.Tokenizer(models.WordLevel({"a": 0, "b": 2, "c": 9}, "a"))
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens([AddedToken("<x>", special=True)])
    assert Tokenizer(backend).token_bytes() == [b"a", b"", b"b", b"<x>", *[b""] * 5, b"c"]


def test_a_mask_has_a_bit_for_each_token_that_may_follow() -> None:
    table = TokenTable([b"a", b"b", b"ab", b"<x>", b""], {3}, letters)
    matcher = table.matcher([{"lark_grammar": "start: /a?b/ <[3]>"}])
    assert matcher.mask() == (0b00111).to_bytes(4, "little")
    matcher.consume([0])
    assert matcher.copy().mask() == (0b00010).to_bytes(4, "little")
    assert matcher.allowed([1, 3, 0]) == 2
    matcher.consume([1])
    assert matcher.forced() == [3]
    matcher.consume([3])
    assert matcher.is_accepting()
    assert matcher.is_stopped()
    assert matcher.error() is None


def test_a_token_that_may_not_follow_is_an_error() -> None:
    table = TokenTable([b"a", b"b", b""], (), letters)
    matcher = table.matcher([{"lark_grammar": "start: /a{1,5}/"}])
    matcher.consume([1])
    assert "doesn't satisfy the grammar" in str(matcher.error())
    with pytest.raises(ValueError, match="unknown name"):
        table.matcher([{"lark_grammar": "start: nothing"}])


def test_a_library_without_the_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(llg._FUNCTIONS, "llg_none", (None, ()))
    llg._slow.cache_clear()
    with pytest.raises(UnavailableError) as caught:
        TokenTable([b"a", b""], (), letters)
    assert str(caught.value) == (
        f"[structured] llguidance {version('llguidance')} has no function 'llg_none' in its "
        "library; install llguidance 1.9.1."
    )
