"""Vocabularies of GGUF files against the tokenizers that they came from."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sentencepiece
import tokenizers
from tokenizers import decoders, normalizers

from convergio_mlx.convert.gguf_tokenizer import (
    tokenizer_files,
)
from convergio_mlx.convert.pre_tokenizers import PRE_TOKENIZERS
from gguf_vocabularies import (
    BYTE,
    CONTROL,
    NORMAL,
    UNKNOWN,
    USER_DEFINED,
    bytes_only,
    metadata_of,
    odd_strings,
)
from vocabularies import FOLDERS, byte_level
from vocabularies import sentencepiece as sentencepiece_like

PRE = {
    "llama-3": "llama-bpe",
    "qwen2.5": "qwen2",
    "deepseek-r1-qwen": "deepseek-r1-qwen",
    "phi-3": None,
}


WORDS = ["the", "lower", " newest", "wider", "low"]


def converted(metadata: dict[str, Any]) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_buffer(tokenizer_files(metadata)["tokenizer.json"])


def assert_same(mine: tokenizers.Tokenizer, own: tokenizers.Tokenizer) -> None:
    special = [token.content for token in own.get_added_tokens_decoder().values()]
    for text in odd_strings(special):
        ids = own.encode(text, add_special_tokens=False).ids
        assert mine.encode(text, add_special_tokens=False).ids == ids, text
        assert mine.decode(ids) == own.decode(ids), text


@pytest.mark.slow
@pytest.mark.skipif(not set(PRE) <= set(FOLDERS), reason="needs CONVERGIO_TEST_DATA")
@pytest.mark.parametrize("name", PRE)
def test_a_real_vocabulary_encodes_and_decodes_as_its_own_tokenizer(name: str) -> None:
    text = (FOLDERS[name] / "tokenizer.json").read_text(encoding="utf-8")
    metadata = metadata_of(json.loads(text), PRE[name])
    assert_same(converted(metadata), tokenizers.Tokenizer.from_str(text))


def test_a_made_byte_pair_vocabulary_encodes_as_its_own_tokenizer() -> None:
    own = byte_level()
    assert_same(converted(metadata_of(json.loads(own.to_str()), "gpt-2")), own)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> sentencepiece.SentencePieceProcessor:
    """A SentencePiece model of few pieces, trained on the odd strings of another seed."""
    model = tmp_path_factory.mktemp("sentencepiece") / "model"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(odd_strings(WORDS, 900, seed=1)),
        model_prefix=str(model),
        vocab_size=900,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=0.98,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_file=f"{model}.model")


def sentencepiece_metadata(model: sentencepiece.SentencePieceProcessor) -> dict[str, Any]:
    count = model.vocab_size()
    tokens, types = [], []
    for i in range(count):
        kind = NORMAL
        if model.is_unknown(i):
            kind = UNKNOWN
        elif model.is_control(i):
            kind = CONTROL
        elif model.is_byte(i):
            kind = BYTE
        tokens.append(model.id_to_piece(i))
        types.append(kind)
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.scores": [model.get_score(i) for i in range(count)],
    }


def test_a_vocabulary_with_scores_encodes_as_sentencepiece_does(
    trained: sentencepiece.SentencePieceProcessor,
) -> None:
    mine = converted(sentencepiece_metadata(trained))
    for text in odd_strings(WORDS):
        if "\0" in text:
            continue  # SentencePiece ends there
        ids = mine.encode(text, add_special_tokens=False).ids
        assert ids == trained.encode(text), text
        assert mine.decode(ids) == trained.decode(ids), text


def test_scores_that_say_nothing_leave_the_order_of_the_ids(
    trained: sentencepiece.SentencePieceProcessor,
) -> None:
    metadata = sentencepiece_metadata(trained)
    best = converted(metadata)
    metadata["tokenizer.ggml.scores"] = [-1000.0] * len(metadata["tokenizer.ggml.tokens"])
    assert_same(converted(metadata), best)


def test_user_defined_tokens_with_spaces_are_found_in_the_text(
    trained: sentencepiece.SentencePieceProcessor,
) -> None:
    metadata = sentencepiece_metadata(trained)
    metadata["tokenizer.ggml.tokens"] += ["   ", "<b>"]  # as of Gemma's files
    metadata["tokenizer.ggml.token_type"] += [USER_DEFINED, USER_DEFINED]
    metadata["tokenizer.ggml.scores"] += [-1000.0, -1000.0]
    metadata["general.architecture"] = "gemma3"  # which puts no space before a text
    mine = converted(metadata)
    count = len(metadata["tokenizer.ggml.tokens"])
    ids = mine.encode("the<b>\n    the", add_special_tokens=False).ids
    assert [i for i in ids if i >= count - 2] == [count - 1, count - 2]
    assert mine.decode(ids) == "the<b>\n    the"


@pytest.mark.parametrize("kind", ["gemma4", "llama"])
def test_a_vocabulary_of_characters_with_merges_encodes_as_its_own_tokenizer(kind: str) -> None:
    own = sentencepiece_like()
    own.normalizer = normalizers.Replace(" ", "▁")
    own.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer = json.loads(own.to_str())
    metadata = metadata_of(tokenizer, None) | {
        "tokenizer.ggml.model": kind,
        "tokenizer.ggml.merges": [" ".join(merge) for merge in tokenizer["model"]["merges"]],
        "tokenizer.ggml.add_space_prefix": False,
    }
    assert_same(converted(metadata), own)
    metadata["tokenizer.ggml.tokens"].append("  ")  # as Gemma 4's files have it,
    metadata["tokenizer.ggml.token_type"].append(USER_DEFINED)
    metadata["tokenizer.ggml.scores"].append(-1000.0)
    metadata["tokenizer.ggml.merges"].append("▁ ▁")  # with ▁ in the merges
    ids = converted(metadata).encode("a  b", add_special_tokens=False).ids
    assert ids[1] == len(metadata["tokenizer.ggml.tokens"]) - 1


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_every_split_loses_nothing(name: str) -> None:
    if not PRE_TOKENIZERS[name].byte_level:
        pytest.skip("over characters")
    mine = converted(bytes_only(**{"ggml.pre": name}))
    for text in odd_strings([], 100):
        given = mine.normalizer.normalize_str(text) if mine.normalizer else text
        assert mine.decode(mine.encode(text).ids) == given, text


def parts(name: str, text: str) -> list[str]:
    mine = converted(bytes_only(**{"ggml.pre": name}))
    return [text[a:b] for _, (a, b) in mine.pre_tokenizer.pre_tokenize_str(text)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-2", ["I", "'", "LL", " pay", " 12345²", " e", "́", "x", " \t", " now"]),
        ("llama-bpe", ["I", "'LL", " pay", " ", "123", "45²", " e", "́x", " \t", " now"]),
        ("qwen2", ["I", "'LL", " pay", " ", *"12345²", " e", "́x", " \t", " now"]),
        (
            "qwen35",
            ["I", "'LL", " pay", " ", *"12345²", " éx".replace("é", "e\u0301"), " \t", " now"],
        ),
        ("smollm", ["I", "'", "LL", " pay", " ", *"12345²", " e", "́", "x", " \t", " now"]),
        ("tekken", ["I", "'LL", " pay", " ", *"12345²", " e\u0301x", " \t", " now"]),
    ],
)
def test_words_and_numbers_are_split_as_the_model_is_used_to(
    name: str, expected: list[str]
) -> None:
    assert parts(name, "I'LL pay 12345² e\u0301x \t now") == expected
