"""llguidance through its C interface (llguidance.h), which its Python package exports as well.

Its Python classes hold the GIL while they read a vocabulary: half a second for 128 000 tokens, in
which no asyncio loop turns. What takes long runs without the GIL here, what takes microseconds
keeps it.
"""

from __future__ import annotations

import ctypes
import json
import weakref
from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from ctypes import POINTER, c_bool, c_char_p, c_int32, c_size_t, c_uint8, c_uint32, c_void_p
from functools import cache
from importlib.metadata import version
from typing import Any

from convergio_mlx.errors import UnavailableError

_SPECIAL = b"\xff"
"""Before the bytes of a token that no text spells."""
_MESSAGE = 1 << 14
"""Bytes of a fault's sentence that are read at most."""
_Forced = c_uint32 * 512
"""Forced tokens that are taken at once; those beyond are forced again."""

_Encode = ctypes.CFUNCTYPE(
    c_size_t, c_void_p, POINTER(c_uint8), c_size_t, POINTER(c_uint32), c_size_t
)


class _TokenizerInit(ctypes.Structure):
    """LlgTokenizerInitV2, up to what is used: the library reads `struct_size` bytes of it."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("vocab_size", c_uint32),
        ("tok_eos", c_uint32),
        ("token_lens", c_void_p),
        ("token_bytes", c_char_p),
        ("tokenizer_json", c_char_p),
        ("tokenize_assumes_string", c_bool),
        ("tokenize_fn", _Encode),
    )


class _MatcherInit(ctypes.Structure):
    """LlgConstraintInit. The library writes its defaults, and newer ones may have more of them."""

    _fields_ = (
        ("tokenizer", c_void_p),
        ("log_buffer_level", c_uint32),
        ("log_stderr_level", c_uint32),
        ("more", c_uint8 * 240),
    )


class TokenTable:
    """The bytes of all tokens, for the matchers of any number of grammars. Safe to share by
    threads."""

    def __init__(
        self, tokens: Sequence[bytes], special: Collection[int], encode: Callable[[str], list[int]]
    ) -> None:
        """Reads a vocabulary, without the GIL for the most part.

        Args:
            tokens: what each id stands for; the last one ends a text and has no bytes.
            special: ids of tokens that no text spells; a grammar names them by id.
            encode: the tokens of a text that follows others, of any thread; must not raise.
        """

        def encoded(_: Any, text: Any, size: int, out: Any, room: int) -> int:
            ids = array("I", encode(ctypes.string_at(text, size).decode()))
            ctypes.memmove(out, ids.buffer_info()[0], min(len(ids), room) * ids.itemsize)
            return len(ids)

        marked = [_SPECIAL + data if i in special else data for i, data in enumerate(tokens)]
        sizes = array("I", map(len, marked))
        self._encode = _Encode(encoded)  # the library calls it for as long as there are matchers
        init = _TokenizerInit(
            vocab_size=len(marked),
            tok_eos=len(marked) - 1,
            token_lens=sizes.buffer_info()[0],
            token_bytes=b"".join(marked),
            tokenize_assumes_string=True,
            tokenize_fn=self._encode,
        )
        init.struct_size = ctypes.sizeof(init)
        message = ctypes.create_string_buffer(_MESSAGE)
        self._handle = _slow().llg_new_tokenizer_v2(ctypes.byref(init), message, _MESSAGE)
        if not self._handle:
            raise RuntimeError(message.value.decode(errors="replace"))
        _freed_with(self, _slow().llg_free_tokenizer, self._handle)

    def matcher(self, grammars: Sequence[Mapping[str, str]]) -> Matcher:
        """A matcher at the beginning of the first of these grammars.

        Args:
            grammars: Lark as `lark_grammar`, each with the `name` that others call it by.

        Raises:
            ValueError: llguidance refuses or warns, in its own words.
        """
        init = _MatcherInit()
        _quick().llg_constraint_init_set_defaults(ctypes.byref(init), self._handle)
        init.log_stderr_level = 0
        given = (ctypes.byref(init), b"llguidance", json.dumps({"grammars": grammars}).encode())
        message = ctypes.create_string_buffer(_MESSAGE)
        if _slow().llg_validate_grammar(*given, message, _MESSAGE):
            raise ValueError(message.value.decode(errors="replace"))
        matcher = Matcher(self, _slow().llg_new_matcher(*given))
        if fault := matcher.error():
            raise ValueError(fault)
        return matcher


class Matcher:
    """A place within a grammar. For one thread at a time."""

    def __init__(self, table: TokenTable, handle: int) -> None:
        """Made by `TokenTable.matcher`."""
        self._table = table
        self._handle = handle
        _freed_with(self, _quick().llg_free_matcher, handle)

    def copy(self) -> Matcher:
        """A matcher of its own at the same place; one source may be copied by several threads."""
        return Matcher(self._table, _quick().llg_clone_matcher(self._handle))

    def consume(self, tokens: Sequence[int]) -> None:
        """Goes on by these; `error` says where that did not work."""
        ids = array("I", tokens)
        _quick().llg_matcher_consume_tokens(self._handle, *ids.buffer_info())

    def error(self) -> str | None:
        """What has gone wrong, for good."""
        message = _quick().llg_matcher_get_error(self._handle)
        return None if message is None else str(message.decode(errors="replace"))

    def is_stopped(self) -> bool:
        """Whether nothing may follow."""
        return bool(_quick().llg_matcher_is_stopped(self._handle))

    def is_accepting(self) -> bool:
        """Whether the text may end here."""
        return bool(_quick().llg_matcher_is_accepting(self._handle))

    def forced(self) -> list[int]:
        """The tokens that must follow, where there is no choice."""
        found = _Forced()
        count = _quick().llg_matcher_compute_ff_tokens(self._handle, found, len(found))
        return found[: max(count, 0)]

    def mask(self) -> bytearray:
        """Which tokens may follow, a bit each, in 32-bit words; `error` says where it failed."""
        mask = bytearray(_quick().llg_matcher_get_mask_byte_size(self._handle))
        into = ctypes.byref(c_uint8.from_buffer(mask))
        _slow().llg_matcher_compute_mask_into(self._handle, into, len(mask))
        return mask

    def allowed(self, tokens: Sequence[int]) -> int:
        """How many of these may come next."""
        ids = array("I", tokens)
        return max(0, int(_quick().llg_matcher_validate_tokens(self._handle, *ids.buffer_info())))


_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "llg_new_tokenizer_v2": (c_void_p, (c_void_p, c_char_p, c_size_t)),
    "llg_free_tokenizer": (None, (c_void_p,)),
    "llg_constraint_init_set_defaults": (None, (c_void_p, c_void_p)),
    "llg_validate_grammar": (c_int32, (c_void_p, c_char_p, c_char_p, c_char_p, c_size_t)),
    "llg_new_matcher": (c_void_p, (c_void_p, c_char_p, c_char_p)),
    "llg_clone_matcher": (c_void_p, (c_void_p,)),
    "llg_free_matcher": (None, (c_void_p,)),
    "llg_matcher_consume_tokens": (c_int32, (c_void_p, c_void_p, c_size_t)),
    "llg_matcher_get_error": (c_char_p, (c_void_p,)),
    "llg_matcher_is_stopped": (c_bool, (c_void_p,)),
    "llg_matcher_is_accepting": (c_bool, (c_void_p,)),
    "llg_matcher_compute_ff_tokens": (c_int32, (c_void_p, c_void_p, c_size_t)),
    "llg_matcher_get_mask_byte_size": (c_size_t, (c_void_p,)),
    "llg_matcher_compute_mask_into": (c_int32, (c_void_p, c_void_p, c_size_t)),
    "llg_matcher_validate_tokens": (c_int32, (c_void_p, c_void_p, c_size_t)),
}
"""What each function of llguidance.h returns and takes."""


@cache
def _slow() -> ctypes.CDLL:
    """The library, called without the GIL."""
    return _declared(ctypes.CDLL)


@cache
def _quick() -> ctypes.CDLL:
    """The library, called with the GIL held: to get it back can take 5 ms."""
    return _declared(ctypes.PyDLL)


def _declared(kind: type[ctypes.CDLL]) -> ctypes.CDLL:
    from llguidance import _lib

    library = kind(_lib.__file__)
    for name, (result, arguments) in _FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise UnavailableError(
                f"[structured] llguidance {version('llguidance')} has no function {name!r} in its "
                "library; install llguidance 1.9.1."
            ) from None
        function.restype, function.argtypes = result, arguments
    return library


def _freed_with(owner: object, free: Callable[[int], None], handle: int) -> None:
    """Frees a handle when its owner is gone; not at exit, when a thread may still be at it."""
    weakref.finalize(owner, free, handle).atexit = False
