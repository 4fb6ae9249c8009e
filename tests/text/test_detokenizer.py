"""The stream of text equals the decoding of all ids, however it is cut."""

import json

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, decoders

from convergio_mlx.text.tokenizer import Tokenizer
from vocabularies import LINES, MADE, fuzz, made, real, texts, tokenizer


def pieces(tok: Tokenizer, ids: list[int], skip: bool) -> list[str]:
    stream = tok.detokenizer(skip)
    return [*map(stream.add, ids), stream.finish()]


def check(tok: Tokenizer, ids: list[int], skip: bool) -> None:
    whole = tok.decode(ids, skip)
    parts = pieces(tok, ids, skip)
    assert "".join(parts) == whole
    said = ""
    for part in parts[:-1]:
        said += part
        assert whole.startswith(said)  # so nothing shown is ever taken back


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MADE, *real])
@fuzz
@given(data=st.data(), skip=st.booleans())
def test_any_sequence_of_ids(name: str, data: st.DataObject, skip: bool) -> None:
    tok = tokenizer(name)
    size = tok.vocab_size
    edges = st.integers(0, 300) | st.integers(max(0, size - 300), size + 20)  # bytes and specials
    ids = data.draw(st.lists(edges | st.integers(0, size - 1), max_size=40))
    check(tok, ids, skip)


@pytest.mark.parametrize("name", [*MADE, *real])
@fuzz
@given(text=texts, skip=st.booleans())
def test_any_text(name: str, text: str, skip: bool) -> None:
    tok = tokenizer(name)
    check(tok, tok.encode(text), skip)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MADE, *real])
@fuzz
@given(text=texts, order=st.randoms())
def test_any_shuffling_of_a_text(name: str, text: str, order: "st.Random") -> None:
    tok = tokenizer(name)
    ids = tok.encode(text)
    order.shuffle(ids)
    check(tok, ids, False)


@pytest.mark.parametrize("name", [*MADE, *real])
@pytest.mark.parametrize("text", LINES)
def test_every_cut_of_a_text_is_its_decoding(name: str, text: str) -> None:
    tok = tokenizer(name)
    ids = tok.encode(text)
    for end in range(0, len(ids) + 1, 1 + len(ids) // 50):
        check(tok, ids[:end], True)


@pytest.mark.parametrize("name", ["byte-level", *(one for one in real if one.values != ("phi-3",))])
def test_a_character_appears_when_its_last_byte_does(name: str) -> None:
    tok = tokenizer(name)
    text = "a🫠b"  # four bytes, and in no vocabulary as one token
    stream, shown = tok.detokenizer(), []
    for token_id in tok.encode(text, add_special_tokens=False):
        shown.append(stream.add(token_id))
    assert "".join(shown) == text
    assert "\ufffd" not in "".join(shown)
    assert shown.count("🫠") + shown.count("🫠b") == 1
    assert "" in shown


def test_a_character_cut_short_is_a_replacement_character_at_the_end() -> None:
    for name in MADE:
        tok = tokenizer(name)
        if name == "metaspace":
            continue  # has no bytes
        first = tok.encode("\u20ac")[-3:-1]  # two of the euro sign's three bytes
        stream = tok.detokenizer()
        assert [stream.add(i) for i in first] == ["", ""]
        assert stream.finish() == tok.decode(first)
        assert "\ufffd" in tok.decode(first)


def test_a_run_of_fallback_bytes_is_wrong_as_a_whole() -> None:
    tok = tokenizer("sentencepiece")
    ids = [tok.token_to_id(f"<0x{byte:02X}>") for byte in (0xE2, 0x82, 0xAC, 0xFF)]
    assert None not in ids
    letter = tok.token_to_id("x")
    stream = tok.detokenizer()
    assert [stream.add(i) for i in [*ids[:3], letter]] == ["", "", "", "€x"]
    stream = tok.detokenizer()
    assert [stream.add(i) for i in [*ids, letter]] == ["", "", "", "", "\ufffd" * 4 + "x"]


def with_decoder(decoder: decoders.Decoder | None) -> Tokenizer:
    backend = made("sentencepiece")
    if decoder is None:
        state = {**json.loads(backend.to_str()), "decoder": None}
        backend = tokenizers.Tokenizer.from_str(json.dumps(state))
    else:
        backend.decoder = decoder
    return Tokenizer(backend)


STREAMED = {
    "strip each token": decoders.Sequence([decoders.Strip("a", 2, 0), decoders.ByteFallback()]),
    "strip two of the text": decoders.Sequence([decoders.Fuse(), decoders.Strip("▁", 2, 0)]),
    "replace after fusing": decoders.Sequence(
        [decoders.ByteFallback(), decoders.Fuse(), decoders.Replace("▁", " ")]
    ),
    "metaspace, no prefix": decoders.Metaspace(prepend_scheme="never"),
    "metaspace, other mark": decoders.Metaspace(replacement="a"),
}
AT_THE_END = {
    "none": None,
    "word pieces": decoders.WordPiece(),
    "ctc": decoders.CTC(),
    "bpe": decoders.BPEDecoder("e"),
    "regular expression": decoders.Sequence([decoders.Replace(Regex("▁+"), " ")]),
    "long pattern after fusing": decoders.Sequence([decoders.Fuse(), decoders.Replace("th", "")]),
    "strip at the back": decoders.Sequence([decoders.Fuse(), decoders.Strip("a", 0, 1)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*STREAMED, *AT_THE_END])
@fuzz
@given(ids=st.lists(st.integers(0, 380), max_size=20), text=texts)
def test_every_kind_of_decoder(kind: str, ids: list[int], text: str) -> None:
    tok = decoder_cache.setdefault(kind, with_decoder({**STREAMED, **AT_THE_END}[kind]))
    for sequence in (ids, tok.encode(text)):
        try:
            tok.decode(sequence)
        except BaseException as error:  # the library's own fault for this decoder and input
            assert type(error).__name__ == "PanicException"  # noqa: PT017
            continue
        check(tok, sequence, True)


decoder_cache: dict[str, Tokenizer] = {}


@pytest.mark.parametrize("kind", [*STREAMED, *AT_THE_END])
def test_text_is_streamed_where_it_can_be(kind: str) -> None:
    tok = with_decoder({**STREAMED, **AT_THE_END}[kind])
    parts = pieces(tok, tok.encode("the cat"), True)
    assert any(parts[:-1]) == (kind in STREAMED)


def test_work_a_token_does_not_grow_with_the_text() -> None:
    calls = 0
    tok = tokenizer("byte-level")
    stream = tok.detokenizer()
    inner = stream._id_to_token

    def counting(token_id: int) -> str | None:
        nonlocal calls
        calls += 1
        return inner(token_id)

    stream._id_to_token = counting  # type: ignore[method-assign]
    ids = tok.encode("many words " * 2000)
    longest = max(len(stream.add(token_id)) for token_id in ids)
    assert calls == len(ids)
    assert longest < 20
