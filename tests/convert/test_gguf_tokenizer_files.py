"""What the tokenizer files of a GGUF file's vocabulary say beside ids, and what is refused."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from convergio_mlx.convert.gguf_tokenizer import (
    eos_token_ids,
    tokenizer_files,
    tokenizer_refusals,
)
from convergio_mlx.errors import ModelCorruptError, UnsupportedModelError
from convergio_mlx.text.tokenizer import Tokenizer
from gguf_vocabularies import CONTROL, NORMAL, UNUSED, USER_DEFINED, bytes_only

K = "tokenizer.ggml."
KNOWN = "(tokenizer.ggml.model; known: gpt2, gemma4, llama)"


def more_tokens(*tokens: tuple[str, int]) -> dict[str, Any]:
    metadata = bytes_only()
    for text, kind in tokens:
        metadata[f"{K}tokens"].append(text)
        metadata[f"{K}token_type"].append(kind)
    return metadata


def folder(path: Path, metadata: dict[str, Any]) -> Tokenizer:
    for name, data in tokenizer_files(metadata).items():
        (path / name).write_bytes(data)
    return Tokenizer.from_folder(path)


def config(metadata: dict[str, Any]) -> dict[str, Any]:
    found = json.loads(tokenizer_files(metadata)["tokenizer_config.json"])
    assert isinstance(found, dict)
    return found


def test_control_tokens_are_special_and_user_defined_ones_are_text(tmp_path: Path) -> None:
    metadata = more_tokens(
        ("<tool>", USER_DEFINED), ("[PAD260]", UNUSED), ("", NORMAL), ("<|x|>", CONTROL)
    )
    mine = folder(tmp_path, metadata)
    assert mine.encode("a<tool><|x|>[PAD260]")[1:3] == [259, 262]
    assert mine.decode([259, 262, 258]) == "<tool>"
    assert mine.id_to_token(260) is None  # it only fills the matrix up
    assert mine.special_tokens == {"eos_token": "<|end|>"}


def test_bos_and_eos_stand_around_a_text_where_the_file_says_so(tmp_path: Path) -> None:
    metadata = more_tokens(("<|begin|>", CONTROL)) | {f"{K}bos_token_id": 259}
    assert folder(tmp_path, metadata).encode("!") == [0]
    metadata |= {f"{K}add_bos_token": True, f"{K}add_eos_token": True}
    assert folder(tmp_path, metadata).encode("!") == [259, 0, 258]
    assert config(metadata)["add_eos_token"] is True


def test_llama_3_begins_with_bos_where_the_file_does_not_say(tmp_path: Path) -> None:
    metadata = bytes_only(**{"ggml.pre": "llama-bpe", "ggml.bos_token_id": 258})
    assert folder(tmp_path, metadata).encode("!") == [258, 0]
    assert folder(tmp_path, metadata | {f"{K}add_bos_token": False}).encode("!") == [0]


def test_a_padding_token_that_is_a_letter_stays_text(tmp_path: Path) -> None:
    mine = folder(tmp_path, bytes_only(**{"ggml.padding_token_id": 0, "ggml.unknown_token_id": 1}))
    assert mine.decode(mine.encode('a!"')) == 'a!"'


def test_chat_templates_have_their_names() -> None:
    assert "chat_template" not in config(bytes_only())
    assert config(bytes_only(chat_template="{{ a }}"))["chat_template"] == "{{ a }}"
    named = bytes_only(**{"chat_template": "{{ a }}", "chat_template.tool_use": "{{ b }}"})
    assert config(named)["chat_template"] == [
        {"name": "default", "template": "{{ a }}"},
        {"name": "tool_use", "template": "{{ b }}"},
    ]


def test_phi_3s_tokens_take_the_white_space_after_them() -> None:
    scores = {f"{K}model": "llama", f"{K}scores": [0.0] * 259}
    files = tokenizer_files(bytes_only() | scores | {"general.architecture": "phi3"})
    tokens = json.loads(files["tokenizer.json"])["added_tokens"]
    assert [token["rstrip"] for token in tokens if token["content"] == "<|end|>"] == [True]


@pytest.mark.parametrize(
    ("tokens", "named", "expected"),
    [
        ([], {}, [258]),
        ([("<|eot_id|>", CONTROL), ("<|eom_id|>", USER_DEFINED)], {}, [258, 259, 260]),
        (
            [("a b", CONTROL), ("c d", CONTROL)],
            {"eot_token_id": 260, "eom_token_id": 259},
            [258, 260, 259],
        ),
        ([("<|return|>", CONTROL), ("<|call|>", CONTROL)], {"eos_token_id": 259}, [259, 260]),
        ([("<|im_end|>", NORMAL), ("</p>", NORMAL)], {}, [258, 259]),
        ([("</a>", CONTROL)], {"eos_token_ids": [258, 259]}, [258, 259]),
    ],
)
def test_a_text_ends_at_every_token_that_ends_a_turn(
    tokens: list[tuple[str, int]], named: dict[str, Any], expected: list[int]
) -> None:
    metadata = more_tokens(*tokens) | {K + name: index for name, index in named.items()}
    assert list(eos_token_ids(metadata)) == expected


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (
            {f"{K}model": "bert"},
            f"it has a vocabulary of the kind 'bert' {KNOWN}",
        ),
        (
            {f"{K}model": None},
            f"it has a vocabulary of the kind None {KNOWN}",
        ),
        ({f"{K}pre": "klingon"}, "its pre-tokenizer is 'klingon' (tokenizer.ggml.pre)"),
        ({f"{K}pre": None}, "its pre-tokenizer is None (tokenizer.ggml.pre)"),
        ({f"{K}merges": None}, "it has a gpt2 vocabulary without tokenizer.ggml.merges"),
        ({f"{K}token_type": None}, "it has a gpt2 vocabulary without tokenizer.ggml.token_type"),
        ({f"{K}model": "llama"}, "it has a llama vocabulary without tokenizer.ggml.scores"),
        (
            {f"{K}remove_extra_whitespaces": True},
            "its tokenizer removes spaces (tokenizer.ggml.remove_extra_whitespaces)",
        ),
    ],
)
def test_what_cannot_be_converted_is_named(change: dict[str, Any], phrase: str) -> None:
    metadata = bytes_only() | change
    assert tokenizer_refusals(metadata) == (phrase,)
    message = (
        f"[gguf] the vocabulary cannot be converted: {phrase}; "
        "use a folder with the model's own tokenizer.json."
    )
    with pytest.raises(UnsupportedModelError, match=f"^{re.escape(message)}$"):
        tokenizer_files(metadata)


def test_all_that_cannot_be_converted_is_named_together() -> None:
    metadata = bytes_only() | {f"{K}pre": "klingon", f"{K}merges": None}
    metadata[f"{K}tokens"][5] = "x" * 5000
    assert len(tokenizer_refusals(metadata)) == 3


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({f"{K}model": 3}, "tokenizer.ggml.model is 3; it must be a text"),
        (
            {f"{K}tokens": None},
            "there is no tokenizer.ggml.tokens; it must be a list of the tokens",
        ),
        ({f"{K}tokens": "abc"}, "tokenizer.ggml.tokens is 'abc'; it must be a list"),
        ({f"{K}tokens": ["a", 7]}, "tokenizer.ggml.tokens[1] is 7; it must be a text"),
        ({f"{K}tokens": ["a", b"\xff"]}, "tokenizer.ggml.tokens[1] is b'\\xff'; it must be UTF-8"),
        (
            {f"{K}tokens": ["a", "\ud800"]},
            "tokenizer.ggml.tokens[1] is '\\ud800'; it must be UTF-8",
        ),
        (
            {f"{K}token_type": [1]},
            "tokenizer.ggml.token_type has 1 entries; it must be 259, like tokens",
        ),
        (
            {f"{K}token_type": [9] * 259},
            "tokenizer.ggml.token_type[0] is 9; it must be from 0 to 6",
        ),
        (
            {f"{K}scores": [float("nan")] * 259},
            "tokenizer.ggml.scores[0] is nan; it must be a finite number",
        ),
        (
            {f"{K}merges": ["Ġ  a"]},
            "tokenizer.ggml.merges[0] is 'Ġ  a'; it must be two tokens that make a third",
        ),
        (
            {f"{K}merges": ["Ġa"]},
            "tokenizer.ggml.merges[0] is 'Ġa'; it must be two tokens that make a third",
        ),
        (
            {f"{K}merges": ["b a"]},
            "tokenizer.ggml.merges[0] is 'b a'; it must be two tokens that make a third",
        ),
        (
            {f"{K}eos_token_id": 259},
            "tokenizer.ggml.eos_token_id is 259; it must be one of the 259 tokens",
        ),
        (
            {f"{K}eos_token_id": True},
            "tokenizer.ggml.eos_token_id is True; it must be one of the 259 tokens",
        ),
        ({f"{K}add_bos_token": 1}, "tokenizer.ggml.add_bos_token is 1; it must be true or false"),
        (
            {f"{K}add_bos_token": True},
            "tokenizer.ggml.add_bos_token is True without a token; it must be False",
        ),
        ({"tokenizer.chat_template": 5}, "tokenizer.chat_template is 5; it must be a text"),
    ],
)
def test_a_value_that_cannot_be_is_an_error(change: dict[str, Any], what: str) -> None:
    message = f"[gguf] {what}, so the file is damaged: download it again."
    with pytest.raises(ModelCorruptError, match=f"^{re.escape(message)}$"):
        tokenizer_files(bytes_only() | change)


def test_a_token_that_occurs_twice_is_an_error() -> None:
    with pytest.raises(ModelCorruptError, match=r"tokens has 'a' at 64 and 259; it must be differ"):
        tokenizer_files(more_tokens(("a", NORMAL)))


ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    2**70,
    0.5,
    float("inf"),
    "",
    "a",
    b"\xff",
    [],
    [None],
    {},
    [[]],
]


def test_any_value_anywhere_gives_files_or_a_typed_error() -> None:
    rng = random.Random(5)
    for _ in range(400):
        metadata = bytes_only(chat_template="{{ a }}", **{"ggml.scores": [0.0] * 259})
        for key in rng.sample(sorted(metadata), 2):
            value = metadata[key]
            if isinstance(value, list) and rng.random() < 0.7:
                value[rng.randrange(len(value))] = rng.choice(ODD)
            else:
                metadata[key] = rng.choice([*ODD, "llama", "gemma4"])
        try:
            files = tokenizer_files(metadata)
            eos_token_ids(metadata)
        except (ModelCorruptError, UnsupportedModelError) as error:
            said = str(error)
        else:
            said = "[gguf] "
            json.loads(files["tokenizer.json"])
        assert said.startswith("[gguf] ")
        assert len(said) < 1500
