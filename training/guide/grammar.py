# ruff: noqa: E501 (syllables are data, one kind a line)
"""A small random grammar: `(a|b|)` picks one alternative, `{name}` takes a slot's value.

Slot values are wrapped in the marks KEEP_OPEN and KEEP_CLOSE, so that noise.py leaves what an answer
has to copy untouched.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

KEEP_OPEN, KEEP_CLOSE = "\x01", "\x02"

_INNERMOST = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")

_ONSETS = [
    "b",
    "bl",
    "br",
    "c",
    "ch",
    "cl",
    "cr",
    "d",
    "dr",
    "f",
    "fl",
    "fr",
    "g",
    "gl",
    "gr",
    "h",
    "j",
    "k",
    "kl",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "pr",
    "qu",
    "r",
    "s",
    "sc",
    "sh",
    "sk",
    "sl",
    "sn",
    "sp",
    "st",
    "str",
    "t",
    "th",
    "tr",
    "v",
    "w",
    "z",
]
_CORES = ["a", "e", "i", "o", "u", "ai", "au", "ea", "ee", "ei", "ia", "io", "oa", "oo", "ou", "y"]
_CODAS = [
    "b",
    "ck",
    "d",
    "f",
    "g",
    "l",
    "ll",
    "m",
    "n",
    "nd",
    "ng",
    "nt",
    "p",
    "r",
    "rd",
    "rk",
    "rn",
    "rt",
    "s",
    "sh",
    "sk",
    "ss",
    "st",
    "t",
    "th",
    "x",
    "z",
] + [""] * 12


def invented_word(rng: random.Random, capital: bool = False) -> str:
    """A word that no list has, so that the model meets ever new ones."""
    parts = (
        rng.choice(_ONSETS) + rng.choice(_CORES) + rng.choice(_CODAS)
        for _ in range(rng.choice((1, 2, 2, 2, 3)))
    )
    word = "".join(parts)
    return word.capitalize() if capital else word


def keep(text: str) -> str:
    """Protect `text` from noise."""
    return f"{KEEP_OPEN}{text}{KEEP_CLOSE}"


def expand(rng: random.Random, template: str, slots: Mapping[str, str] | None = None) -> str:
    """One random sentence of `template`."""
    while True:
        replaced = _INNERMOST.sub(lambda m: rng.choice(m.group(1).split("|")), template)
        if replaced == template:
            break
        template = replaced
    text = _SLOT.sub(lambda m: keep((slots or {})[m.group(1)]), template)
    return re.sub(r"\s+", " ", text).replace(" ,", ",").strip()


def pick(
    rng: random.Random, templates: Sequence[str], slots: Mapping[str, str] | None = None
) -> str:
    """A sentence of one of the templates."""
    return expand(rng, rng.choice(templates), slots)


def plain(text: str) -> str:
    """`text` without the marks."""
    return text.replace(KEEP_OPEN, "").replace(KEEP_CLOSE, "")
