"""The vocabulary of a GGUF file, read from its metadata and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from convergio_mlx.errors import ModelCorruptError
from convergio_mlx.platform.once import once

MAX_TOKENS = 1 << 20
"""Of a vocabulary; the largest known have some 260,000."""
MAX_MERGES = 1 << 22
PREFIX = "tokenizer.ggml."
_SENTENCEPIECE_IDS = {"bos": 1, "eos": 2, "unknown": 0}
"""What these are in a vocabulary with scores where the file does not say."""

TURN_ENDS = frozenset(
    {
        *("<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>"),
        *("<|calls|>", "<|flush|>", "<end_of_turn>", "<turn|>", "<|endoftext|>", "<eos>", "</s>"),
        *("<|end_of_text|>", "<end_of_utterance>", "<EOT>", "[EOT]", "[EOS]", "[e~["),
        "<｜end▁of▁sentence｜>",
    }
)
"""Texts of tokens that end an answer, whichever one a file names; llama.cpp stops at these."""


class TokenType(IntEnum):
    """What a token is, as `tokenizer.ggml.token_type` numbers it."""

    UNDEFINED = 0
    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Metadata:
    """A file's keys and values, each asked for by its type."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Takes them as they are."""
        self._values = values

    def text(self, key: str) -> str | None:
        """A text, or None where the file has no such key.

        Raises:
            ModelCorruptError: it is something else.
        """
        value = self._values.get(key)
        return None if value is None else _text(value, key)

    def flag(self, name: str) -> bool | None:
        """A truth value of the tokenizer's, or None where the file does not say."""
        value = self._values.get(PREFIX + name)
        if value is None or isinstance(value, bool):
            return value
        raise corrupt(f"{PREFIX}{name} is {shown(value)}", "true or false")

    def id(self, name: str, count: int) -> int | None:
        """The id of a named token among `count`, or None where the file does not say."""
        key = f"{PREFIX}{name}_token_id"
        value = self._values.get(key)
        return None if value is None else _id(value, key, count)

    def ids(self, name: str, count: int) -> list[int]:
        """The ids of all tokens of a name among `count`, as Ollama lists them besides the one."""
        values = self.list(f"{name}_token_ids", count) or ()
        key = f"{PREFIX}{name}_token_ids"
        return [_id(value, f"{key}[{index}]", count) for index, value in enumerate(values)]

    def list(self, name: str, most: int) -> list[Any] | None:
        """A list of the tokenizer's with at most `most` entries, or None where there is none."""
        value = self._values.get(PREFIX + name)
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            raise corrupt(f"{PREFIX}{name} is {shown(value)}", "a list")
        if len(value) > most:
            raise corrupt(f"{PREFIX}{name} has {len(value)} entries", f"at most {most}")
        return list(value)


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by id, with what the file says of each."""

    tokens: list[str]
    types: list[TokenType]
    ids: dict[str, int]
    """Of the named tokens: bos, eos, eot, eom, padding, unknown."""
    scores: list[float] | None
    merges: list[str] | None

    @once
    def present(self) -> dict[str, int]:
        """The ids of the tokens. Those that only fill a matrix up stand for nothing, and have none:
        empty ones, and the unused ones that llama.cpp's converter names `[PAD…]`.

        Raises:
            ModelCorruptError: a token occurs twice.
        """
        found: dict[str, int] = {}
        for index, (token, kind) in enumerate(zip(self.tokens, self.types, strict=True)):
            if not token or (kind is TokenType.UNUSED and token == f"[PAD{index}]"):
                continue
            if found.setdefault(token, index) != index:
                raise corrupt(
                    f"{PREFIX}tokens has {shown(token)} at {found[token]} and {index}",
                    "different tokens",
                )
        return found

    def of_type(self, *kinds: TokenType) -> list[int]:
        """The ids of the tokens of these types."""
        wanted, types = frozenset(kinds), self.types
        return [index for index in self.present.values() if types[index] in wanted]


def read_vocabulary(metadata: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary that the metadata describes.

    Args:
        metadata: the file's keys and values; lists and texts as Python has them.

    Raises:
        ModelCorruptError: a value is of the wrong type or out of range, a length disagrees with
            another, or a token is no UTF-8.
    """
    values = Metadata(metadata)
    tokens = values.list("tokens", MAX_TOKENS)
    if not tokens:
        raise corrupt(f"there is no {PREFIX}tokens", "a list of the tokens")
    tokens = _texts(tokens, "tokens")
    types = _as_long("token_type", values.list("token_type", MAX_TOKENS), tokens)
    scores = _as_long("scores", values.list("scores", MAX_TOKENS), tokens)
    merges = values.list("merges", MAX_MERGES)
    ids: dict[str, int] = {}
    for name in ("bos", "eos", "eot", "eom", "padding", "unknown"):
        index = values.id(name, len(tokens))
        if index is None and values.text(f"{PREFIX}model") == "llama":
            index = _default(name, types)
        if index is not None:
            ids[name] = index
    return Vocabulary(
        tokens,
        [TokenType.NORMAL] * len(tokens) if types is None else _types(types, tokens),
        ids,
        None if scores is None else _scores(scores),
        None if merges is None else _texts(merges, "merges"),
    )


def _id(value: Any, key: str, count: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < count:
        raise corrupt(f"{key} is {shown(value)}", f"one of the {count} tokens")
    return value


def _default(name: str, types: list[Any] | None) -> int | None:
    index = _SENTENCEPIECE_IDS.get(name)
    if index is None or types is None or index >= len(types):
        return None
    return index if types[index] in (TokenType.CONTROL, TokenType.UNKNOWN) else None


def _as_long(name: str, values: list[Any] | None, tokens: list[str]) -> list[Any] | None:
    if values is not None and len(values) != len(tokens):
        raise corrupt(f"{PREFIX}{name} has {len(values)} entries", f"{len(tokens)}, like tokens")
    return values


def _types(values: list[Any], tokens: list[str]) -> list[TokenType]:
    """The types; tokens that end a turn are control tokens, even where a converter forgot it."""
    kinds = {int(kind): kind for kind in TokenType}
    found = []
    for index, value in enumerate(values):
        if type(value) is not int or value not in kinds:
            raise corrupt(f"{PREFIX}token_type[{index}] is {shown(value)}", "from 0 to 6")
        forgotten = value == TokenType.NORMAL and tokens[index] in TURN_ENDS
        found.append(TokenType.CONTROL if forgotten else kinds[value])
    return found


def _scores(values: list[Any]) -> list[float]:
    for index, value in enumerate(values):
        if type(value) not in (float, int) or not math.isfinite(value):
            raise corrupt(f"{PREFIX}scores[{index}] is {shown(value)}", "a finite number")
    return [float(value) for value in values]


def _texts(values: list[Any], name: str) -> list[str]:
    try:
        "".join(values).encode()
    except (TypeError, UnicodeError):
        return [_text(value, f"{PREFIX}{name}[{index}]") for index, value in enumerate(values)]
    return values


def _text(value: Any, key: str) -> str:
    """A text of whole characters; bytes are read as UTF-8."""
    try:
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, str):
            value.encode()
            return value
    except UnicodeError:
        raise corrupt(f"{key} is {shown(value)}", "UTF-8") from None
    raise corrupt(f"{key} is {shown(value)}", "a text")


def shown(value: Any) -> str:
    """A value for a message, however long it is."""
    text = repr(value[:80]) if isinstance(value, str | bytes | list | tuple) else repr(value)
    return text if len(text) <= 120 else f"{text[:120]}…"


def corrupt(what: str, instead: str) -> ModelCorruptError:
    """The error of a value that is not what it must be."""
    return ModelCorruptError(
        f"[gguf] {what}; it must be {instead}, so the file is damaged: download it again."
    )
