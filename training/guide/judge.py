"""Whether an answer to a held-out question is right."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Item = dict[str, Any]
HELD_OUT = Path(__file__).resolve().parents[2] / "tests" / "guide"
SETS = ("heldout", "fresh")
"""Held-out questions by hand. Which topics of the first failed decided where the corpus grew; the
second were written after the corpus and before its training, and decided nothing."""

_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)


def load_items(name: str = "heldout") -> list[Item]:
    """The items of a set; each gets `messages` and `tools` (definitions or None)."""
    definitions = json.loads((HELD_OUT / "tools.json").read_text("utf-8"))
    lines = (HELD_OUT / f"{name}.jsonl").read_text("utf-8").splitlines()
    items: list[Item] = [json.loads(line) for line in lines]
    for item in items:
        if "q" in item:
            item["messages"] = [{"role": "user", "content": item["q"]}]
        names = item.get("tools")
        item["tools"] = [definitions[n] for n in names] if names else None
    return items


def calls(answer: str) -> list[Any] | None:
    """The parsed tool calls of an answer; None where one is not valid JSON of the right form."""
    found = []
    for body in _CALL.findall(answer):
        try:
            call = json.loads(body)
        except ValueError:
            return None
        if not isinstance(call, dict) or set(call) != {"name", "arguments"}:
            return None
        found.append(call)
    return None if "<tool_call>" in _CALL.sub("", answer) else found


def is_right(item: Item, answer: str) -> bool:
    """Exactly the wanted call, or every required and no forbidden pattern."""
    if "call" in item:
        return calls(answer) == [item["call"]] and not _CALL.sub("", answer).strip()
    if any(not re.search(p, answer, re.IGNORECASE) for p in item["must"]):
        return False
    return not any(re.search(p, answer, re.IGNORECASE) for p in item["not"])


def evaluate(
    items: Iterable[Item], answer: Callable[[Item], str]
) -> tuple[dict[str, list[bool]], list[tuple[Item, str]]]:
    """Right or wrong by topic, and the wrong ones with their answers."""
    by_topic: dict[str, list[bool]] = defaultdict(list)
    wrong: list[tuple[Item, str]] = []
    for item in items:
        text = answer(item)
        right = is_right(item, text)
        by_topic[item["topic"]].append(right)
        if "call" in item:
            by_topic["(valid JSON)"].append(bool(calls(text)))
        if not right:
            wrong.append((item, text))
    return by_topic, wrong


def table(by_topic: dict[str, list[bool]]) -> str:
    """The results as lines of text."""
    answers = {t: r for t, r in by_topic.items() if not t.startswith("(")}
    rows = [*by_topic.items(), ("all", [r for rs in answers.values() for r in rs])]
    return "\n".join(
        f"{t:14}{sum(r):4} of {len(r):3}  {100 * sum(r) / len(r):5.1f} %" for t, r in rows
    )
