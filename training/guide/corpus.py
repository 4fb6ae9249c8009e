"""Training conversations, mixed of everything the guide learns."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from typing import Any

from .about_models import about_models
from .about_tool import about_tool, echo, small_talk
from .facts import BY_ID
from .held_out import HeldOut
from .off_topic import off_topic
from .one_model import one_model
from .tool_calls import ARGUMENTS, Message, definition, other_names, renamed, some_tools, turns
from .words import QA

Conversation = dict[str, Any]

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are convergio-guide.",
    "Answer briefly.",
    "Be concise.",
    "You help users of convergio-mlx.",
    "You are a friendly assistant. Answer in one or two sentences.",
    "Be polite and precise.",
    "You are the built-in guide of convergio-mlx. Answer questions about the tool.",
    "Answer in English.",
    "You are an expert for local models.",
    "Use the tools when they help.",
    "You are an assistant with tools.",
    "Keep your answers short and true.",
    "Speak like a friend.",
)


def question(rng: random.Random) -> QA:
    """Any question without tools."""
    makers = (about_models, about_tool, small_talk, off_topic)
    return rng.choices(makers, (30, 42, 11, 20))[0](rng)


def _say(qa: QA) -> list[Message]:
    return [{"role": "user", "content": qa.question}, {"role": "assistant", "content": qa.answer}]


def _chat(rng: random.Random, length: int) -> list[Message]:
    """`length` questions; after one about a model the next may say "it"."""
    messages: list[Message] = []
    last: str | None = None
    for _ in range(length):
        if last and rng.random() < 0.4:
            qa = one_model(rng, BY_ID[last], follow_up=True)
        else:
            qa = one_model(rng) if rng.random() < 0.2 else question(rng)
        last = qa.model
        messages += _say(qa)
    return messages


def _with_tools(rng: random.Random) -> Conversation:
    kind = rng.random()
    if kind < 0.72:
        name = rng.choice(list(ARGUMENTS))
        names = some_tools(rng, name)
        messages = turns(rng, name)
        if rng.random() < 0.2:
            messages = _say(question(rng)) + messages
        while messages[-1].get("content") and rng.random() < 0.2:
            messages += turns(rng, rng.choice(names))
    else:
        names = some_tools(rng)
        qa = question(rng)
        while "list_models" in names and (qa.model or "fits" in qa.answer):
            qa = question(rng)
        clash = re.compile(
            r"weather|time|rain|snow|temperature|forecast|plus|\+|date|sum|sunny|storm|clock|hour"
        )
        if clash.search(qa.question.lower()) and "don't know that" in qa.answer:
            qa = small_talk(rng)
        messages = _say(qa)
    tools = [definition(rng, n) for n in names]
    if rng.random() < 0.15:
        new = other_names(rng, names)
        messages, tools = renamed(messages, new), renamed(tools, new)
    return {"messages": messages, "tools": tools}


def conversation(rng: random.Random) -> Conversation:
    """One conversation with its tools (or None)."""
    roll = rng.random()
    if roll < 0.24:
        made = _with_tools(rng)
    elif roll < 0.94:
        made = {"messages": _say(question(rng)), "tools": None}
    else:
        made = {"messages": _chat(rng, rng.choice((2, 2, 2, 2, 3, 3, 4, 8))), "tools": None}
    if rng.random() < 0.12:
        system = {"role": "system", "content": rng.choice(SYSTEM_PROMPTS)}
        made["messages"] = [system, *made["messages"]]
    return made


def asked(messages: list[Message]) -> list[str]:
    """The user's texts."""
    return [m["content"] for m in messages if m["role"] == "user"]


COPYING = 0.06  # the share of texts to repeat, after the warm-up


def conversations(seed: int, held_out: HeldOut, warm_up: int = 0) -> Iterator[Conversation]:
    """Endless conversations, none of which asks a held-out question or nearly one. Among the first
    `warm_up` are many texts to repeat, which make the heads that copy; ever fewer later."""
    rng = random.Random(seed)
    for number in itertools.count():
        copying = max(COPYING, 0.8 * (1 - number / warm_up)) if warm_up else COPYING
        if rng.random() < copying:
            made: Conversation = {"messages": _say(echo(rng)), "tools": None}
        else:
            made = conversation(rng)
        if not any(map(held_out.meets, asked(made["messages"]))):
            yield made
