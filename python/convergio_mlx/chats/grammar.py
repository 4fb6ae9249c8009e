"""One Lark grammar for a whole answer.

    start: [reasoning] (text | form | [text] calls)

What may stand where follows from `tool_choice` and `response_format`; how calls are written, from
the model's tool-call format (tool_formats.py). The dialect is llguidance's: a `[lazy]` lexeme ends
at the first place it can, and after it only what the grammar has there may come. `<[7]>` is token
7.

A mark that the vocabulary has as one token is that token here, and no text has it within: a model
cannot end a call amid a string. Spelled out in other tokens a mark begins a call, or ends
reasoning, all the same, since the parsers go by the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from convergio_mlx.chats.argument_rules import arguments_rules
from convergio_mlx.chats.channels import Channels
from convergio_mlx.chats.literal_arguments import PYTHON
from convergio_mlx.chats.reasoning import Marks
from convergio_mlx.chats.tool_choice import ToolChoice
from convergio_mlx.chats.tool_format import ToolFormat
from convergio_mlx.chats.tools import Tool
from convergio_mlx.structured.response_format import answer_rule

_ANY = "/(?s:.*)/"
_IDS = {"{index}": "/[0-9]{1,3}/", "{id}": "/[A-Za-z0-9_-]{1,32}/"}


def answer_grammar(
    choice: ToolChoice,
    tool_format: ToolFormat,
    response_format: Mapping[str, Any] | None,
    reasoning: Marks | None,
    *,
    inside: bool,
    tokens: Mapping[str, int],
) -> str | None:
    """The grammar of an answer, or None where any text may come.

    Args:
        choice: which tools may or must be called.
        tool_format: how calls are written.
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
    return _Writer(choice, tool_format, reasoning, tokens).write(form, inside)


class _Writer:
    """Writes the rules of one grammar."""

    def __init__(
        self,
        choice: ToolChoice,
        tool_format: ToolFormat,
        reasoning: Marks | None,
        tokens: Mapping[str, int],
    ) -> None:
        self._choice = choice
        self._format = tool_format
        self._reasoning = reasoning
        self._tokens = tokens
        self._marks = re.compile("|".join(map(re.escape, tokens)) or "(?!)")

    def write(self, form: str | None, inside: bool) -> str:
        if self._reasoning is not None and self._reasoning.channels is not None:
            return self._messages(self._reasoning, self._reasoning.channels, form)
        mode = self._choice.mode
        allowed = []
        rules = [r"SPACE: /[ \t\r\n]{1,16}/"]
        if form is not None and mode != "required":
            rules.append(f"form: {form}")
            allowed += self._wrapped("form")
        free = form is None and mode != "required"
        if free:
            rules += [f"FREE: {self._free()}", "text: FREE"]
            allowed += self._wrapped("text")
        if self._choice.callable and mode != "none":
            rules += [*self._calls(), *self._openings(free)]
            allowed.append("calls")
        return "\n".join([*rules, f"answer: {' | '.join(allowed)}", *self._start(inside)])

    def _messages(self, marks: Marks, channels: Channels, form: str | None) -> str:
        """The grammar of an answer that is messages with headers."""
        mode = self._choice.mode
        unlike = [f"~/(?s:.*){_escaped(m)}(?s:.*)/" for m in (channels.start, *self._format.marks)]
        rules = [r"SPACE: /[ \t\r\n]{1,16}/", f"TEXT: {' & '.join([_ANY, *unlike])}"]
        allowed = []
        text_head = self._literal(channels.text_head)
        if mode != "required":
            rules.append(f"form: {form or 'TEXT'}")
            allowed.append(f"{text_head} form")
        if self._choice.callable and mode != "none":
            rules += self._all_arguments()
            for index, head in enumerate(channels.call_heads):
                rules += self._body(f"calls_{index}", head)
            rules.append(
                f"calls: {' | '.join(f'calls_{i}' for i in range(len(channels.call_heads)))}"
            )
            allowed.append("calls")
            if mode == "auto" and form is None:
                ends = channels.ends[:1]
                rules += self._until("note", f"{''.join(ends)}{channels.start}")
                allowed.append(f"{self._literal(channels.note_head)} note calls")
        start = "answer"
        if marks.begin:
            rules += self._until("thought", f"{marks.end}{channels.start}")
            start = f"answer | {self._literal(marks.begin)} thought answer"
        return "\n".join([*rules, f"answer: {' | '.join(allowed)}", f"start: {start}"])

    def _wrapped(self, name: str) -> list[str]:
        """A rule, also between the tokens that a model may put around its text."""
        marks = () if self._reasoning is None else self._reasoning.around_text
        pairs = zip(marks[::2], marks[1::2], strict=True)
        known = [pair for pair in pairs if pair[0] in self._tokens and pair[1] in self._tokens]
        return [name, *(f"{self._token(a)} {name} {self._token(b)}?" for a, b in known)]

    def _until(self, name: str, end: str) -> list[str]:
        """A rule of any text up to a mark."""
        literal = self._literal(end)
        if literal.startswith("<["):
            return [f"{name}: TEXT? {literal}"]
        first, _, rest = literal.partition(" ")
        return [
            f"{name.upper()}_END: TEXT {first}",
            f"{name}_end[lazy]: {name.upper()}_END",
            f"{name}: {name}_end {rest}",
        ]

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
        tool_format, unlike = self._format, []
        if self._reasoning is not None:
            unlike.append(rf"\s*{_escaped(self._reasoning.begin)}(?s:.*)")
        if self._choice.mode == "none":
            if tool_format.bare:
                unlike.append(r'\s*\{\s*"name"(?s:.*)')
            unlike += [f"(?s:.*){_escaped(m)}(?s:.*)" for m in tool_format.marks if not m.isalpha()]
        elif tool_format.bare:
            unlike.append(rf"\s*[{re.escape(tool_format.bare)}](?s:.*)")
        return " & ".join([_ANY, *(f"~/{pattern}/" for pattern in unlike)])

    def _openings(self, free: bool) -> list[str]:
        """How calls begin: with a mark, where text is free after any of it."""
        tool_format = self._format
        start, _ = tool_format.around
        listing = self._listing() if "[" in tool_format.bare else []
        bare = ["body", *(["listing"] if listing else [])]
        if not free:
            head = self._literal(start + self._mark)
            return [*listing, f"calls: {' | '.join(f'{head} {one}' for one in bare)}"]
        rules, ways = listing, [f"SPACE? {one}" for one in bare] if tool_format.bare else []
        opening = f"{start}{tool_format.marks[0]}{self._before}"
        bodies = {self._before: "body"}
        for index, mark in enumerate(tool_format.marks):
            # A word is a mark only where its list follows.
            end = f"/{mark}\\s*\\[/" if mark.isalpha() else _quoted(mark)
            after = opening.partition(mark)[2] if mark in opening else self._before
            if after not in bodies:
                bodies[after] = f"body_{index}"
                rules += self._body(bodies[after], after)
            rest = "items" if mark.isalpha() else bodies[after]
            rules += [f"HEAD_{index}: FREE {end}", f"head_{index}[lazy]: HEAD_{index}"]
            ways.append(f"head_{index} {rest}")
            if mark in self._tokens:
                ways.append(f"FREE? {self._token(mark)} {rest}")
        return [*rules, f"calls: {' | '.join(ways)}"]

    def _listing(self) -> list[str]:
        """`listing`: calls as a list of Python's, where a model may write that instead."""
        rules, mode = [], self._choice.mode
        for index, tool in enumerate(self._choice.callable):
            rules += arguments_rules(tool, f"python_{index}", mode, PYTHON, self._literal)[0]
        names = [_quoted(tool.name) for tool in self._choice.callable]
        ways = [f"{name} python_{index}" for index, name in enumerate(names)]
        more = '("," " "? python)*' if self._choice.many else ""
        return [*rules, f"python: {' | '.join(ways)}", f'listing: "[" python {more} "]"']

    def _calls(self) -> list[str]:
        """`body`: the calls of an answer after the first mark."""
        tool_format, tools = self._format, self._choice.callable
        rules = self._all_arguments()
        if tool_format.listed:
            comma = _quoted(tool_format.comma.strip() or tool_format.comma)
            more = (
                f"(SPACE? {comma} SPACE? call)*"
                if tool_format.comma.strip()
                else f"({comma} call)*"
            )
            more = more if self._choice.many else ""
            end = self._literal(tool_format.brackets[1])
            space = "SPACE?" if tool_format.comma.strip() else ""
            rules.append(f"call: {' | '.join(map(self._one, range(len(tools)), tools))}")
            rules.append(f"items: {space} call {more} {space} {end}")
        return [*rules, *self._body("body", self._before)]

    def _all_arguments(self) -> list[str]:
        """`args_0` and so on, of each tool."""
        mode, syntax = self._choice.mode, self._format.syntax
        return [
            rule
            for index, tool in enumerate(self._choice.callable)
            for rule in arguments_rules(tool, f"args_{index}", mode, syntax, self._literal)[0]
        ]

    @property
    def _before(self) -> str:
        """What is written between a mark and a call, or its list."""
        return self._format.before

    def _body(self, name: str, before: str) -> list[str]:
        """The calls of an answer after a mark, of which the first begins so."""
        tool_format, tools = self._format, self._choice.callable
        after = self._literal(tool_format.after)
        end = self._literal(tool_format.around[1])
        if tool_format.listed:
            start = self._literal(before + tool_format.brackets[0])
            return [f"{name}: {start} items {after} {end}"]
        first = [self._headed(index, tool, before) for index, tool in enumerate(tools)]
        channels = None if self._reasoning is None else self._reasoning.channels
        between = "" if channels is None else channels.between_calls
        again = (between or tool_format.between) + self._mark + self._before
        more = [self._headed(index, tool, again) for index, tool in enumerate(tools)]
        rest = (
            f"(({' | '.join(more)}) {after})*"
            if self._choice.many and not tool_format.single
            else ""
        )
        return [f"{name}: ({' | '.join(first)}) {after} {rest} {end}"]

    def _headed(self, index: int, tool: Tool, before: str) -> str:
        """What stands before a call, and the call."""
        if not self._format.named_before:
            return f"{self._literal(before)} {self._one(index, tool)}"
        return f"{self._filled(before, tool)} args_{index}"

    def _filled(self, text: str, tool: Tool) -> str:
        """A text with the tool's name, and patterns for number and id."""
        parts = re.split(r"(\{index\}|\{id\})", text.replace("{name}", tool.name))
        return " ".join(_IDS.get(part) or self._literal(part) for part in parts if part)

    def _one(self, index: int, tool: Tool) -> str:
        """A call that is JSON, or a call of a list."""
        tool_format = self._format
        if not tool_format.is_json:
            return f"{_quoted(tool.name)} args_{index}"
        name = json.dumps(tool.name, ensure_ascii=False)
        head, _, tail = tool_format.call.replace("{name}", name).partition("{arguments}")
        return f"{self._filled(head, tool)} args_{index} {_quoted(tail)}"

    @property
    def _mark(self) -> str:
        """What stands before a call where nothing else does."""
        return "" if self._format.bare else self._format.marks[0]

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
