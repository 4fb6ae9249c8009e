"""A small random grammar: `(a|b|)` picks one alternative, `{name}` takes a slot's value.

Slot values are wrapped in the marks KEEP_OPEN and KEEP_CLOSE, so that noise (typos, case) leaves
what an answer has to copy untouched.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

KEEP_OPEN, KEEP_CLOSE = "\x01", "\x02"

_INNERMOST = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")
_KEPT = re.compile(f"({KEEP_OPEN}.*?{KEEP_CLOSE})")

PREFIXES = (
    "please",
    "hey,",
    "hi,",
    "hello,",
    "hello!",
    "quick question:",
    "question:",
    "ok,",
    "so,",
    "and",
    "now",
    "well,",
    "sorry,",
    "excuse me,",
    "one thing:",
    "could you tell me",
    "can you tell me",
    "tell me,",
    "i want to know",
    "i was wondering,",
    "do you know",
    "just curious,",
    "maybe you know:",
    "i'm new here.",
    "help me:",
    "by the way,",
    "alright,",
    "one more question:",
    "i have a question.",
)
SUFFIXES = (
    "please",
    "pls",
    "thanks",
    "thank you",
    "for me",
    "then",
    "exactly",
    "by the way",
    "now",
    "actually",
    "again",
    "today",
    "here",
    "my friend",
    "if you know",
)
FILLERS = (
    "really",
    "just",
    "actually",
    "maybe",
    "simply",
    "basically",
    "perhaps",
    "quickly",
    "now",
    "kind of",
    "exactly",
    "usually",
    "normally",
    "possibly",
    "in fact",
    "honestly",
    "somehow",
    "still",
    "also",
    "even",
)
_SMALL = frozenset(
    "a,an,the,is,are,do,does,did,i,you,it,to,of,in,on,for,my,me,can,could".split(",")  # noqa: SIM905
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


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
    return re.sub(r"\s+", " ", text).strip()


def pick(
    rng: random.Random, templates: Sequence[str], slots: Mapping[str, str] | None = None
) -> str:
    """A sentence of one of the templates."""
    return expand(rng, rng.choice(templates), slots)


def plain(text: str) -> str:
    """`text` without the marks."""
    return text.replace(KEEP_OPEN, "").replace(KEEP_CLOSE, "")


def _typo(rng: random.Random, word: str) -> str:
    at = rng.randrange(len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    return word[:at] + rng.choice(_LETTERS) + word[at + 1 :]


def _noisy_words(rng: random.Random, text: str, level: float) -> str:
    out: list[str] = []
    for word in text.split(" "):
        if word.lower() in _SMALL and rng.random() < level * 1.2:
            continue
        chance = rng.random() / level
        if chance < 0.6 and len(word) > 4 and word.isalpha():
            word = _typo(rng, word)  # noqa: PLW2901
        elif 0.6 <= chance < 0.9 and word.isalpha() and text.count(" ") > 3:
            word = invented_word(rng)  # noqa: PLW2901 (a rare word must not decide alone)
        out.append(word)
        if word and rng.random() < level * 0.4:
            out.append(rng.choice(FILLERS))
    return " ".join(out)


def _ending(rng: random.Random, text: str) -> str:
    end = rng.random()
    if text and text[-1] in "?.!":
        return text[:-1] if end < 0.12 else text
    for limit, mark in ((0.42, "?"), (0.54, "."), (0.57, "!")):
        if text and end < limit:
            return text + mark
    return text


def _cased(text: str, case: float) -> str:
    if case < 0.3:
        return text.lower()
    return text.upper() if case > 0.985 else text


def noise(rng: random.Random, text: str) -> str:
    """A person's way of typing `text`: politeness, typos, case and punctuation of all kinds."""
    if rng.random() < 0.14:
        text = f"{rng.choice(PREFIXES)} {text}"
    if rng.random() < 0.08:
        text = f"{text} {rng.choice(SUFFIXES)}"
    level = rng.choice((0.0, 0.0, 0.03, 0.06, 0.12))
    parts = _KEPT.split(text)
    case = rng.random()
    for i, part in enumerate(parts):
        if not part.startswith(KEEP_OPEN):
            parts[i] = _cased(_noisy_words(rng, part, level) if level else part, case)
    text = re.sub(r"\s+", " ", plain("".join(parts))).strip()
    if case > 0.5 and text[:1].islower():
        text = text[0].upper() + text[1:]
    text = _ending(rng, text)
    if rng.random() < 0.1:
        text = text.replace("'", "")
    return text or "?"
