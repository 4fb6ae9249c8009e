"""Answers of several messages, each with a header that says whom it is for: reasoning, text, calls.

A prompt of such a model ends where the first header begins. What a message says is given as it is;
headers are not, but the header of a call is given in one form, in which the tool parser knows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from convergio_mlx.chats.pieces import Piece, overlap

_LONGEST_HEADER = 256
"""Characters; a longer one is text."""
_BETWEEN = "\n\n"
"""Between two messages of text."""


@dataclass(frozen=True)
class Channels:
    """The messages of one family."""

    sign: str
    """What a chat template of the family has in it."""
    start: str
    """What begins a message, before its header."""
    bodies: tuple[str, ...]
    """Each ends a header, and belongs to it."""
    ends: tuple[str, ...]
    """Each ends a message."""
    begin: str
    """What is written before reasoning; empty where the family has none."""
    end: str
    """What is written after reasoning."""
    reasoning: str
    """A pattern of the headers of reasoning."""
    call: str
    """A pattern of the headers of calls; its group `name`, where it has one, is the tool's."""
    leads: tuple[str, ...]
    """A header begins with one of these, after space; without any it is one word."""
    given: str
    """How the header of a call is given, with `{name}`."""
    text_head: str
    """The header to write before an answer's text."""
    note_head: str
    """The header to write before text that calls follow."""
    call_heads: tuple[str, ...]
    """What to write before the arguments of an answer's first call, header and all."""
    between_calls: str = ""
    """What to write between two calls that are messages of their own, with `{name}`."""
    opens_call: str = ""
    """What the body of a call begins with; any other is text."""

    @property
    def spelled(self) -> tuple[str, ...]:
        """All marks of headers and ends, which a vocabulary may have as special tokens."""
        heads = " ".join((self.start, *self.leads))
        return (*re.findall(r"<\|[^|]*\|>", heads), *self.bodies, *self.ends)


class ChannelSplitter:
    """Splits an answer into reasoning and the rest, in which the tool parser finds the calls.

    What is given depends on the text alone and not on how it was cut into pieces.
    """

    def __init__(self, channels: Channels) -> None:
        """Begins within the first header."""
        self._channels = channels
        self._state: Literal["header", "opening", "body"] = "header"
        self._kind: Literal["reasoning", "text", "call"] = "text"
        self._given = ""  # what the header of a call is given as
        self._pending = ""
        self._has_text = False
        self._is_new = False

    @property
    def is_thinking(self) -> bool:
        """Whether the text so far ends within reasoning."""
        return self._state == "body" and self._kind == "reasoning"

    @property
    def may_think(self) -> bool:
        """Whether reasoning continues, or may still begin."""
        return self._state == "header" or self.is_thinking

    def feed(self, text: str) -> list[Piece]:
        """Takes the next piece; returns what is certain now."""
        rest, self._pending = self._pending + text, ""
        out: list[Piece] = []
        while rest:
            before = (rest, self._state)
            step = {"header": self._in_header, "opening": self._opening, "body": self._body}
            rest = step[self._state](rest, out)
            if (rest, self._state) == before:
                self._pending = rest
                break
        return out

    def finish(self) -> list[Piece]:
        """Returns what was held back, now that no more will come."""
        out: list[Piece] = []
        rest, self._pending = self._pending, ""
        if self._state == "opening":
            rest = self._given + rest
        elif self._state == "header" and (
            any(
                lead.startswith(rest.lstrip()) or rest.lstrip().startswith(lead)
                for lead in self._channels.leads
            )
        ):
            rest = ""
        elif self._state == "body" and (mark := re.match(r"<\|[^|]*\|>", self._channels.start)):
            rest = "" if rest.startswith(mark[0]) else rest  # a header that does not come
        self._say(rest, out)
        return out

    def _in_header(self, rest: str, out: list[Piece]) -> str:
        if not self._is_header(rest):
            return self._no_header(rest)
        bodies = self._channels.bodies
        ends = [at + len(mark) for mark in bodies if (at := rest.find(mark)) >= 0]
        if not ends:
            return rest if len(rest) <= _LONGEST_HEADER else self._no_header(rest)
        header, rest = rest[: min(ends)], rest[min(ends) :]
        self._state, self._kind, self._is_new = "body", "text", True
        if called := re.fullmatch(self._channels.call, header):
            name = called.groupdict().get("name") or ""
            self._given = self._channels.given.replace("{name}", name)
            self._state, self._kind = "opening", "call"
        elif re.fullmatch(self._channels.reasoning, header):
            self._kind = "reasoning"
        return rest

    def _is_header(self, rest: str) -> bool:
        """Whether a header begins so, as far as can be told."""
        begun = rest.lstrip()
        if not self._channels.leads:
            return re.fullmatch(r"[\w.:/-]*(?:\n(?s:.*))?", rest) is not None
        return any(begun.startswith(one) or one.startswith(begun) for one in self._channels.leads)

    def _no_header(self, rest: str) -> str:
        self._state, self._kind, self._is_new = "body", "text", True
        return rest

    def _opening(self, rest: str, out: list[Piece]) -> str:
        """At the beginning of a call's body, which says whether it is one."""
        stripped = rest.lstrip()
        wanted = self._channels.opens_call
        if not stripped or (wanted.startswith(stripped) and stripped != wanted):
            return rest
        self._state = "body"
        if stripped.startswith(wanted):
            out.append(("text", self._given))
        else:
            self._kind = "text"
        return rest

    def _body(self, rest: str, out: list[Piece]) -> str:
        channels = self._channels
        marks = (*channels.ends, channels.start)
        places = [(at, mark) for mark in marks if (at := rest.find(mark)) >= 0]
        if not places:
            held = max(overlap(rest, mark) for mark in marks)
            self._say(rest[: len(rest) - held], out)
            return rest[len(rest) - held :]
        at, mark = min(places)
        self._say(rest[:at], out)
        rest = rest[at + len(mark) :]
        if mark != channels.start:
            self._kind = "text"
            self._is_new = True
            return rest
        self._state = "header"
        return rest

    def _say(self, text: str, out: list[Piece]) -> None:
        if not text:
            return
        if self._kind == "reasoning":
            out.append(("reasoning", text))
            return
        if self._kind == "text":
            if self._is_new and self._has_text:
                out.append(("text", _BETWEEN))
            self._is_new, self._has_text = False, True
        out.append(("text", text))


KNOWN = (
    Channels(  # gpt-oss
        sign="<|channel|>",
        start="<|start|>assistant",
        bodies=("<|message|>",),
        ends=("<|end|>", "<|call|>", "<|return|>"),
        begin="<|channel|>analysis<|message|>",
        end="<|end|>",
        reasoning=r"\s*<\|channel\|>analysis[^<]*<\|message\|>",
        call=r"(?s:.*?)\bto=(?:functions\.)?(?P<name>[\w.:/-]+)(?s:.*)",
        leads=("<|channel|>", "<|constrain|>", "<|message|>", "to="),
        given="<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>",
        text_head="<|channel|>final<|message|>",
        note_head="<|channel|>commentary<|message|>",
        call_heads=(
            "<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>",
            " to=functions.{name}<|channel|>commentary json<|message|>",
        ),
        opens_call="{",
    ),
    Channels(  # Muse Glimmer
        sign="<atem:function_calls>",
        start="<|start|>assistant",
        bodies=("<|message|>",),
        ends=("<|eom|>", "<|eot|>"),
        begin=" to=self<|message|>",
        end="<|eom|>",
        reasoning=r"\s*to=self<\|message\|>",
        call=r"(?!)",
        leads=("to=", "<|message|>"),
        given="",
        text_head=" to=user<|message|>",
        note_head=" to=user<|message|>",
        call_heads=(' to={name}<|message|><atem:function_calls>\n<atem:invoke name="{name}">\n',),
        between_calls="</atem:function_calls><|eom|><|start|>assistant to={name}<|message|>"
        "<atem:function_calls>\n",
    ),
    Channels(  # Solar Open
        sign="<|tool_call:begin|>",
        start="<|begin|>assistant",
        bodies=("<|think|>", "<|content|>", "<|tool_calls|>"),
        ends=("<|end|>", "<|calls|>"),
        begin="<|think|>",
        end="<|end|>",
        reasoning=r"<\|think\|>",
        call=r"<\|tool_calls\|>",
        leads=("<|think|>", "<|content|>", "<|tool_calls|>"),
        given="<|tool_calls|>",
        text_head="<|content|>",
        note_head="<|content|>",
        call_heads=(
            "<|tool_calls|><|tool_call:begin|>{id}<|tool_call:name|>{name}<|tool_call:args|>",
        ),
    ),
    Channels(  # Functionary 3.2
        sign=">>>all",
        start=">>>",
        bodies=("\n",),
        ends=(),
        begin="",
        end="",
        reasoning=r"(?!)",
        call=r"(?!all\n)(?P<name>[\w.:/-]+)\n",
        leads=(),
        given=">>>{name}\n",
        text_head="all\n",
        note_head="all\n",
        call_heads=("{name}\n",),
        opens_call="{",
    ),
)
"""By a sign in the chat template. An answer without tools comes in channels too."""
