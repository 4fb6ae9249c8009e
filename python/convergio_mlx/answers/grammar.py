"""One Lark grammar for a whole answer.

    start: [reasoning] (text | form | [text] calls)

What may stand where follows from `tool_choice` and `response_format`; how calls are written, from
the model's notation (tool_formats.py). The dialect is llguidance's: a `[lazy]` lexeme ends at the
first place it can, and after it only what the grammar has there may come. `<[7]>` is token 7.

A mark that the vocabulary has as one token is that token here, and no text has it within: a model
cannot end a call amid a string. Spelled out in other tokens a mark begins a call, or ends
reasoning, all the same, since the parsers go by the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from convergio_mlx.answers.reasoning import Marks
from convergio_mlx.answers.tool_calls import Tool, ToolChoice
from convergio_mlx.answers.tool_formats import ToolFormat
from convergio_mlx.structured.response_format import answer_rule
from convergio_mlx.structured.schema import closed, json_rule

_ANY = "/(?s:.*)/"


def answer_grammar(
    choice: ToolChoice,
    notation: ToolFormat,
    response_format: Mapping[str, Any] | None,
    reasoning: Marks | None,
    *,
    inside: bool,
    tokens: Mapping[str, int],
) -> str | None:
    """The grammar of an answer, or None where any text may come.

    Args:
        choice: which tools may or must be called.
        notation: how calls are written.
        response_format: what an answer that is no call must be.
        reasoning: the marks of a model that reasons.
        inside: the answer begins amid reasoning.
        tokens: the ids of the marks that are a token each.

    Raises:
        InvalidRequestError: a schema or a format that cannot be enforced.
    """
    form = answer_rule(response_format)
    if form is None and not choice.callable:
        return None
    return _Writer(choice, notation, reasoning, tokens).write(form, inside)


class _Writer:
    """Writes the rules of one grammar."""

    def __init__(
        self,
        choice: ToolChoice,
        notation: ToolFormat,
        reasoning: Marks | None,
        tokens: Mapping[str, int],
    ) -> None:
        self._choice = choice
        self._notation = notation
        self._reasoning = reasoning
        self._tokens = tokens
        self._marks = re.compile("|".join(map(re.escape, tokens)) or "(?!)")

    def write(self, form: str | None, inside: bool) -> str:
        mode = self._choice.mode
        allowed = []
        rules = [r"SPACE: /[ \t\r\n]{1,16}/"]
        if form is not None and mode != "required":
            rules.append(f"form: {form}")
            allowed.append("form")
        free = form is None and mode != "required"
        if free:
            rules += [f"FREE: {self._free()}", "text: FREE"]
            allowed.append("text")
        if self._choice.callable and mode != "none":
            rules += [*self._calls(), *self._openings(free)]
            allowed.append("calls")
        return "\n".join([*rules, f"answer: {' | '.join(allowed)}", *self._start(inside)])

    def _start(self, inside: bool) -> list[str]:
        marks = self._reasoning
        if marks is None:
            return ["start: answer"]
        thinking = "thought SPACE? answer"
        start = thinking if inside else f"answer | {self._literal(marks.begin)} {thinking}"
        ends = ["spelled"]
        if marks.end in self._tokens:
            ends.append(f"ANY? {self._token(marks.end)}")
        return [
            f"ANY: {_ANY}",
            f"SPELLED: {_ANY} {_quoted(marks.end)}",
            "spelled[lazy]: SPELLED",
            f"thought: {' | '.join(ends)}",
            f"start: {start}",
        ]

    def _free(self) -> str:
        """A terminal of text that begins neither reasoning nor a call."""
        notation, unlike = self._notation, []
        if self._reasoning is not None:
            unlike.append(rf"\s*{_escaped(self._reasoning.begin)}(?s:.*)")
        if self._choice.mode == "none":
            if notation.bare:
                unlike.append(r'\s*\{\s*"name"(?s:.*)')
            unlike += [f"(?s:.*){_escaped(m)}(?s:.*)" for m in notation.marks if not m.isalpha()]
        elif notation.bare:
            unlike.append(r"\s*\{(?s:.*)")
        return " & ".join([_ANY, *(f"~/{pattern}/" for pattern in unlike)])

    def _openings(self, free: bool) -> list[str]:
        """How calls begin: with a mark, where text is free after any of it."""
        notation = self._notation
        start, _ = notation.around
        if not free:
            return [f"calls: {self._literal(start + self._mark)} body"]
        rules, ways = [], ["SPACE? body"] if notation.bare else []
        for index, mark in enumerate(notation.marks):
            # A word is a mark only where its list follows.
            end = f"/{mark}\\s*\\[/" if mark.isalpha() else _quoted(mark)
            rest = "items" if mark.isalpha() else "body"
            if mark == start:
                rest = f"{self._literal(notation.marks[0])} {rest}"
            rules += [f"HEAD_{index}: FREE {end}", f"head_{index}[lazy]: HEAD_{index}"]
            ways.append(f"head_{index} {rest}")
            if mark in self._tokens:
                ways.append(f"FREE? {self._token(mark)} {rest}")
        return [*rules, f"calls: {' | '.join(ways)}"]

    def _calls(self) -> list[str]:
        """`body`: the calls of an answer after the first mark."""
        notation, tools = self._notation, self._choice.callable
        rules = []
        for index, tool in enumerate(tools):
            where = f"the parameters of {tool.name!r}"
            rules.append(f"args_{index}: {json_rule(closed(tool.parameters), where)}")
        rules.append(f"call: {' | '.join(map(self._one, range(len(tools)), tools))}")
        before = "" if notation.named_before else self._literal(notation.before)
        after, end = self._literal(notation.after), self._literal(notation.around[1])
        if notation.listed:
            more = '("," " "? call)*' if self._choice.many else ""
            rules.append(f'items: call {more} "]"')
            rules.append(f'body: {before} "[" items {after} {end}')
        else:
            one = f"{before} call {after}"
            again = f"{self._literal(notation.between + self._mark)} {one}"
            rules.append(f"body: {one} {f'({again})*' if self._choice.many else ''} {end}")
        return rules

    def _one(self, index: int, tool: Tool) -> str:
        notation = self._notation
        if notation.named_before:
            return f"{self._literal(notation.before.replace('{name}', tool.name))} args_{index}"
        name = json.dumps(tool.name, ensure_ascii=False)
        head = f'{{"name": {name}, "{notation.arguments}": '
        return f'{_quoted(head)} args_{index} "}}"'

    @property
    def _mark(self) -> str:
        """What stands before a call where nothing else does."""
        return "" if self._notation.bare else self._notation.marks[0]

    def _literal(self, text: str) -> str:
        """A text, its marks as tokens."""
        parts, at = [], 0
        for mark in self._marks.finditer(text):
            parts += [_quoted(text[at : mark.start()]), self._token(mark[0])]
            at = mark.end()
        return " ".join(part for part in [*parts, _quoted(text[at:])] if part != '""')

    def _token(self, mark: str) -> str:
        return f"<[{self._tokens[mark]}]>"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _escaped(text: str) -> str:
    return re.escape(text).replace("/", r"\/")
