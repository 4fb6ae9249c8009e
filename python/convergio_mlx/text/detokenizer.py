"""Token ids to text, one at a time, equal to what decoding all of them at once would give.

tokenizer.json's `decoder` section is a chain of small steps over a list of tokens (tokenizers'
`decoders`). Each step here does the same over a stream: it takes a token and gives what is certain
by now. A chain with a step that cannot be certain before the end (CTC, a regular expression over
fused text) is decoded at the end instead, so its text is right, though not streamed.
"""

from __future__ import annotations

import codecs
import string
from collections.abc import Callable, Collection
from typing import Any, Protocol


class Step(Protocol):
    """One stage of a decoder chain; pieces in, pieces out, in constant work a piece."""

    def push(self, piece: str) -> list[str]:
        """Takes one piece and returns the pieces that are certain now."""

    def end(self) -> list[str]:
        """Returns what was held back, now that no piece will come."""


def _byte_of_character() -> dict[str, int]:
    """GPT-2's map: printable Latin-1 characters stand for themselves, the rest from U+0100 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)}
    printable |= set(range(ord("®"), ord("ÿ") + 1))
    others = [byte for byte in range(256) if byte not in printable]
    return {
        **{chr(byte): byte for byte in printable},
        **{chr(256 + index): byte for index, byte in enumerate(others)},
    }


class ByteLevel:
    """Byte-level BPE: every character is a byte; the bytes together are UTF-8."""

    _BYTES = _byte_of_character()

    def __init__(self) -> None:
        """Begins with no bytes held."""
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    @classmethod
    def bytes_of(cls, piece: str) -> bytes:
        """What a token stands for; one of other characters is its own bytes."""
        try:
            return bytes(map(cls._BYTES.__getitem__, piece))
        except KeyError:
            return piece.encode()

    def push(self, piece: str) -> list[str]:
        """Gives the characters that are complete."""
        return [self._utf8.decode(self.bytes_of(piece))]

    def end(self) -> list[str]:
        """Gives U+FFFD for a character cut short."""
        return [self._utf8.decode(b"", True)]


class ByteFallback:
    """SentencePiece's `<0xNN>` tokens: a run of them is UTF-8 as a whole, or U+FFFD a byte.

    The run's last byte decides about its first, so a run is held until it ends.
    """

    _HEX = frozenset(string.hexdigits)

    def __init__(self) -> None:
        """Begins with no bytes held."""
        self._run = bytearray()

    @classmethod
    def byte_of(cls, piece: str) -> int | None:
        """The byte that a token stands for, where it does for one."""
        if (
            len(piece) == 6
            and piece.startswith("<0x")
            and piece[5] == ">"
            and cls._HEX.issuperset(piece[3:5])
        ):
            return int(piece[3:5], 16)
        return None

    def push(self, piece: str) -> list[str]:
        """Holds a byte; before anything else, gives the bytes held."""
        byte = self.byte_of(piece)
        if byte is not None:
            self._run.append(byte)
            return []
        return [*self.end(), piece] if self._run else [piece]

    def end(self) -> list[str]:
        """Gives the bytes held."""
        if not self._run:
            return []
        try:
            text = self._run.decode()
        except UnicodeDecodeError:
            text = "\ufffd" * len(self._run)
        self._run.clear()
        return [text]


class Replace:
    """Replaces a string inside each piece."""

    def __init__(self, old: str, new: str) -> None:
        """Takes what to look for and what to put there."""
        self._old, self._new = old, new

    def push(self, piece: str) -> list[str]:
        """Gives the piece with every occurrence replaced."""
        return [piece.replace(self._old, self._new)]

    def end(self) -> list[str]:
        """Holds nothing."""
        return []


class Strip:
    """Removes up to `start` characters `content` from the front of each token, or of the text."""

    def __init__(self, content: str, start: int, fused: bool) -> None:
        """`fused`: the pieces are parts of one text, which has one front."""
        self._content, self._start, self._fused = content, start, fused
        self._left = start

    def push(self, piece: str) -> list[str]:
        """Gives the piece without what is stripped."""
        if not self._fused:
            self._left = self._start
        cut = 0
        while cut < min(self._left, len(piece)) and piece[cut] == self._content:
            cut += 1
        self._left = self._left - cut if cut == len(piece) else 0
        return [piece[cut:]]

    def end(self) -> list[str]:
        """Holds nothing."""
        return []


class Metaspace:
    """SentencePiece's ▁ is a space, except in the first token where a prefix was put there."""

    def __init__(self, mark: str, prefixed: bool) -> None:
        """Takes the mark and whether the encoder prefixes the text with one."""
        self._mark = mark
        self._here = "" if prefixed else " "

    def push(self, piece: str) -> list[str]:
        """Gives the piece with its marks replaced."""
        text = piece.replace(self._mark, self._here)
        self._here = " "
        return [text]

    def end(self) -> list[str]:
        """Holds nothing."""
        return []


def _replace(part: dict[str, Any], fused: bool) -> Callable[[], Step] | None:
    old, new = part["pattern"].get("String"), part["content"]
    # After fusing, a longer pattern could lie across two pieces.
    return (lambda: Replace(old, new)) if old and not (fused and len(old) > 1) else None


def _strip(part: dict[str, Any], fused: bool) -> Callable[[], Step] | None:
    content, start = part["content"], part["start"]
    return (lambda: Strip(content, start, fused)) if part["stop"] == 0 else None


def _metaspace(part: dict[str, Any], fused: bool) -> Callable[[], Step] | None:
    mark, prefixed = part["replacement"], part["prepend_scheme"] != "never"
    return None if fused else lambda: Metaspace(mark, prefixed)


_STEPS: dict[str, Callable[[dict[str, Any], bool], Callable[[], Step] | None]] = {
    "ByteFallback": lambda _, fused: None if fused else ByteFallback,
    "ByteLevel": lambda _, fused: None if fused else ByteLevel,
    "Metaspace": _metaspace,
    "Replace": _replace,
    "Strip": _strip,
}


def steps(decoder: dict[str, Any] | None) -> list[Callable[[], Step]] | None:
    """The factories of a decoder's steps, or None where the decoder cannot be streamed exactly.

    Args:
        decoder: the `decoder` section of tokenizer.json.
    """
    if decoder is None:
        return None
    chain: list[Callable[[], Step]] = []
    fused = False
    for part in decoder["decoders"] if decoder["type"] == "Sequence" else [decoder]:
        kind = part["type"]
        if kind != "Fuse":
            step = _STEPS[kind](part, fused) if kind in _STEPS else None
            if step is None:
                return None
            chain.append(step)
        fused = fused or kind in ("ByteLevel", "Fuse")
    return chain


class Detokenizer:
    """The text of a growing sequence of token ids.

    What `add` and `finish` return, joined, equals the tokenizer's `decode` of all ids. No returned
    text ends within a character. Each call costs the same however long the text is.
    """

    def __init__(
        self,
        id_to_token: Callable[[int], str | None],
        skipped: Collection[int],
        chain: list[Step],
        keeps_space: bool = False,
    ) -> None:
        """Made by `Tokenizer.detokenizer`.

        Args:
            id_to_token: the token of an id, None for an id outside the vocabulary (no text).
            skipped: ids that give no text.
            chain: the decoder's steps, fresh.
            keeps_space: the ids go on a text: what the decoder takes off its beginning stays.
        """
        self._id_to_token = id_to_token
        self._skipped = skipped
        self._chain = chain
        if keeps_space:
            self._run(["a"], 0)

    def add(self, token_id: int) -> str:
        """Takes the next id and returns the text that is certain now; often empty."""
        token = None if token_id in self._skipped else self._id_to_token(token_id)
        return "" if token is None else self._run([token], 0)

    def finish(self) -> str:
        """The text still held back, now that no id will come; a cut character is U+FFFD."""
        return "".join(self._run(step.end(), index + 1) for index, step in enumerate(self._chain))

    def _run(self, pieces: list[str], first: int) -> str:
        for step in self._chain[first:]:
            if len(pieces) == 1:
                pieces = step.push(pieces[0])
            else:
                pieces = [out for piece in pieces for out in step.push(piece)]
        return "".join(pieces)


class FinalDetokenizer(Detokenizer):
    """For a decoder that cannot be streamed: the whole text comes with `finish`."""

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        """Takes the function that decodes a list of ids."""
        self._decode = decode
        self._ids: list[int] = []

    def add(self, token_id: int) -> str:
        """Keeps the id; returns nothing yet."""
        self._ids.append(token_id)
        return ""

    def finish(self) -> str:
        """The whole text."""
        return self._decode(self._ids)
