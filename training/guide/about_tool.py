"""Questions about the tool itself (one answer each), small talk, and texts to repeat."""

from __future__ import annotations

import random

from .grammar import invented_word, pick, plain
from .noise import noise
from .small_talk import SMALL_TALK
from .topics_commands import COMMANDS
from .topics_identity import IDENTITY
from .topics_machine import MACHINE_AND_DATA
from .topics_python import PYTHON_AND_TROUBLE
from .words import HOW, QA, Topics

TOPICS: Topics = IDENTITY + COMMANDS + MACHINE_AND_DATA + PYTHON_AND_TROUBLE


def _choose(rng: random.Random, topics: Topics) -> QA:
    answer, templates = rng.choices(topics, [2 + len(t[1]) for t in topics])[0]
    template = rng.choice(templates).replace("{HOW}", HOW)
    return QA(noise(rng, pick(rng, [template])), answer)


def about_tool(rng: random.Random) -> QA:
    """A question about the tool."""
    return _choose(rng, TOPICS)


ECHO = (
    "(repeat|repeat after me|say|echo|copy|repeat this|write this down|repeat exactly): {x}",
    "(please repeat|can you repeat|could you say|say|repeat) {x}",
)


def _any_word(rng: random.Random) -> str:
    if rng.random() < 0.3:
        number = str(rng.randrange(10 ** rng.randrange(1, 6)))
        return number if rng.random() < 0.7 else f"{number}.{rng.randrange(100)}"
    return invented_word(rng, rng.random() < 0.4)


def echo(rng: random.Random) -> QA:
    """A text to repeat: all of its tokens teach copying."""
    length = rng.randrange(1, 5) if rng.random() < 0.4 else rng.randrange(5, 25)
    text = " ".join(_any_word(rng) for _ in range(length))
    return QA(plain(pick(rng, ECHO, {"x": text})), text)


def small_talk(rng: random.Random) -> QA:
    """A greeting, thanks and the like."""
    return _choose(rng, SMALL_TALK)
