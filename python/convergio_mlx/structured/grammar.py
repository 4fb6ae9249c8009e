"""One Lark grammar for a whole answer.

    start: [reasoning] (text | form | [text] calls)

What may stand where follows from `tool_choice` and `response_format`; how calls are written, from
the model's notation (tool_formats.py). The dialect is llguidance's: a `[lazy]` lexeme ends at the
first place it can, and after it only what the grammar has there may come.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from convergio_mlx.reasoning import Marks
from convergio_mlx.structured.response_format import answer_rule
from convergio_mlx.structured.schema import closed, json_rule
from convergio_mlx.tool_calls import Tool, ToolChoice
from convergio_mlx.tool_formats import ToolFormat

_ANY = "/(?s:.*)/"


def answer_grammar(
    choice: ToolChoice,
    notation: ToolFormat,
    response_format: Mapping[str, Any] | None,
    reasoning: Marks | None,
    inside: bool,
) -> str | None:
    """The grammar of an answer, or None where any text may come.

    Args:
        choice: which tools may or must be called.
        notation: how calls are written.
        response_format: what an answer that is no call must be.
        reasoning: the marks of a model that reasons.
        inside: the answer begins amid reasoning.

    Raises:
        InvalidRequestError: a schema or a format that cannot be enforced.
    """
    form = answer_rule(response_format)
    if form is None and not choice.callable:
        return None
    calls = bool(choice.callable) and choice.mode != "none"
    free = form is None and choice.mode != "required"
    allowed = []
    rules: list[str] = []
    if form is not None and choice.mode != "required":
        rules.append(f"form: {form}")
        allowed.append("form")
    if free:
        rules += [f"FREE: {_free(choice, notation, reasoning)}", "text: FREE"]
        allowed.append("text")
    if calls:
        rules += [*_calls(choice, notation), *_openings(notation, free)]
        allowed.append("calls")
    rules.append(f"answer: {' | '.join(allowed)}")
    rules += ["SPACE: /[ \\t\\r\\n]{1,16}/", *_start(reasoning, inside)]
    return "\n".join(rules)


def _start(reasoning: Marks | None, inside: bool) -> list[str]:
    if reasoning is None:
        return ["start: answer"]
    thinking = "thought SPACE? answer"
    start = thinking if inside else f"answer | {_quoted(reasoning.begin)} {thinking}"
    return [
        f"THOUGHT: {_ANY} {_quoted(reasoning.end)}",
        "thought[lazy]: THOUGHT",
        f"start: {start}",
    ]


def _free(choice: ToolChoice, notation: ToolFormat, reasoning: Marks | None) -> str:
    """A terminal of text that begins neither reasoning nor a call."""
    unlike = []
    if reasoning is not None:
        unlike.append(rf"\s*{_escaped(reasoning.begin)}(?s:.*)")
    if choice.mode == "none":
        if notation.bare:
            unlike.append(r'\s*\{\s*"name"(?s:.*)')
        unlike += [f"(?s:.*){_escaped(m)}(?s:.*)" for m in notation.marks if not m.isalpha()]
    elif notation.bare:
        unlike.append(r"\s*\{(?s:.*)")
    return " & ".join([_ANY, *(f"~/{pattern}/" for pattern in unlike)])


def _openings(notation: ToolFormat, free: bool) -> list[str]:
    """How calls begin: with a mark, where text is free after any of it."""
    start, _ = notation.around
    if not free:
        return ["calls: " + " ".join([*_literal(start), *_literal(_mark(notation)), "body"])]
    rules, ways = [], ["SPACE? body"] if notation.bare else []
    for index, mark in enumerate(notation.marks):
        # A word is a mark only where its list follows.
        end = f"/{mark}\\s*\\[/" if mark.isalpha() else _quoted(mark)
        rest = "items" if mark.isalpha() else "body"
        between = _literal(notation.marks[0]) if mark == start else []
        rules += [f"HEAD_{index}: FREE {end}", f"head_{index}[lazy]: HEAD_{index}"]
        ways.append(" ".join([f"head_{index}", *between, rest]))
    return [*rules, f"calls: {' | '.join(ways)}"]


def _calls(choice: ToolChoice, notation: ToolFormat) -> list[str]:
    """`body`: the calls of an answer after the first mark."""
    rules: list[str] = []
    for index, tool in enumerate(choice.callable):
        where = f"the parameters of {tool.name!r}"
        rules.append(f"args_{index}: {json_rule(closed(tool.parameters), where)}")
    ones = [_one(notation, index, tool) for index, tool in enumerate(choice.callable)]
    rules.append(f"call: {' | '.join(ones)}")
    before = [] if notation.named_before else _literal(notation.before)
    after, end = _literal(notation.after), _literal(notation.around[1])
    if notation.listed:
        more = '("," " "? call)*' if choice.many else ""
        rules.append(f'items: call {more} "]"')
        rules.append("body: " + " ".join([*before, '"["', "items", *after, *end]))
    else:
        one = [*before, "call", *after]
        again = [*_literal(notation.between), *_literal(_mark(notation)), *one]
        more = f"({' '.join(again)})*" if choice.many else ""
        rules.append("body: " + " ".join([*one, more, *end]))
    return rules


def _one(notation: ToolFormat, index: int, tool: Tool) -> str:
    if notation.named_before:
        return f"{_quoted(notation.before.replace('{name}', tool.name))} args_{index}"
    name = json.dumps(tool.name, ensure_ascii=False)
    head = f'{{"name": {name}, "{notation.arguments}": '
    return f'{_quoted(head)} args_{index} "}}"'


def _mark(notation: ToolFormat) -> str:
    """What stands before a call where nothing else does."""
    return "" if notation.bare else notation.marks[0]


def _literal(text: str) -> Sequence[str]:
    return [_quoted(text)] if text else []


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _escaped(text: str) -> str:
    return re.escape(text).replace("/", r"\/")
