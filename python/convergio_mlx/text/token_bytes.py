"""What bytes each token stands for, as the tokenizer's decoder has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from convergio_mlx.text.detokenizer import ByteFallback, ByteLevel


def token_bytes(pieces: Iterable[str | None], decoder: Mapping[str, Any] | None) -> list[bytes]:
    """The bytes of tokens; none for what is None.

    A SentencePiece token keeps its leading space, which the decoder takes off at the beginning of a
    text alone.

    Args:
        pieces: tokens as tokenizer.json spells them, by their ids.
        decoder: the `decoder` section of tokenizer.json, one that can be streamed.
    """
    of = _reader(decoder)
    return [b"" if piece is None else of(piece) for piece in pieces]


def _reader(decoder: Mapping[str, Any] | None) -> Callable[[str], bytes]:
    parts = [] if decoder is None else decoder.get("decoders", [decoder])
    kinds = {part["type"] for part in parts}
    if "ByteLevel" in kinds:
        return ByteLevel.bytes_of
    replacements = [found for part in parts if (found := _replacement(part)) is not None]

    def of(piece: str) -> bytes:
        if "ByteFallback" in kinds and (byte := ByteFallback.byte_of(piece)) is not None:
            return bytes([byte])
        for old, new in replacements:
            piece = piece.replace(old, new)
        return piece.encode(errors="replace")

    return of


def _replacement(part: Mapping[str, Any]) -> tuple[str, str] | None:
    if part["type"] == "Metaspace":
        return str(part["replacement"]), " "
    if part["type"] == "Replace" and "String" in part["pattern"]:
        return str(part["pattern"]["String"]), str(part["content"])
    return None
