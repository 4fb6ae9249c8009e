"""A format of tool calls: what stands before, between and after the calls of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from convergio_mlx.chats.argument_syntax import Json, Syntax
from convergio_mlx.chats.tools import ToolCall

PLAIN = r"\s*(?=[\[{])"
"""Nothing but space between mark and JSON."""
NAME = r"(?P<name>[\w.:/-]+)"


@dataclass(frozen=True)
class ToolFormat:
    """A format of tool calls."""

    name: str
    signs: tuple[str, ...]
    """Any of these in a chat template, or as a token, tells that the model writes so."""
    marks: tuple[str, ...]
    """Each begins a call, or a list of calls; the first is the one to write."""
    before: str
    """What is written between mark and arguments, or the JSON of a call; with `{name}` where the
    tool's name stands there, and `{index}` or `{id}`."""
    after: str
    """What is written after a call."""
    closers: tuple[str, ...]
    """What belongs to the call when it follows it."""
    around: tuple[str, str] = ("", "")
    """What is written before the first call of an answer and after the last."""
    between: str = "\n"
    """What is written between two calls."""
    within: tuple[str, ...] = ()
    """Further marks, inside a call."""
    header: str = PLAIN
    """A pattern of all that may stand between mark and arguments, up to their first character; its
    group `name`, where it has one, is the tool's name; its group `id` the call's id."""
    lead: str = ""
    """What a header with a name begins with, after space: anything else is text at once."""
    so_far: str = ""
    """A pattern of what such a header may be so far, where it has no lead."""
    listed: bool = False
    """One mark for all calls, which are a list."""
    brackets: tuple[str, str] = ("[", "]")
    """Around the calls of a list."""
    comma: str = ", "
    """Between the calls of a list."""
    call: str = '{"name": {name}, "arguments": {arguments}}'
    """A call that is JSON, where the name does not stand before."""
    syntax: Syntax = field(default_factory=Json)
    """How arguments are written."""
    bare: str = ""
    """What an answer begins with that is calls without a mark."""
    weak: tuple[str, ...] = ()
    """Marks that count only before the name of a known tool."""
    stops: tuple[str, ...] = ()
    """Tokens that end an answer after its calls, besides those of the model's configuration."""
    single: bool = False
    """An answer has one call at most."""
    numbers_ids: bool = False
    """Ids are `functions.NAME:NUMBER`, counted through the conversation."""

    @property
    def named_before(self) -> bool:
        """Whether the name stands before the arguments."""
        return "{name}" in self.before

    @property
    def is_json(self) -> bool:
        """Whether arguments are written as JSON."""
        return isinstance(self.syntax, Json)

    @property
    def spelled(self) -> tuple[str, ...]:
        """All marks, which a vocabulary may have as special tokens."""
        texts = (*self.marks, *self.closers, *self.around, *self.within)
        return tuple(text for text in dict.fromkeys(map(str.strip, texts)) if text)

    def write(self, calls: Sequence[ToolCall]) -> str:
        """The calls as the model would write them."""
        start, end = self.around
        written = [self.one(call, index) for index, call in enumerate(calls)]
        if self.listed:
            opening, closing = self.brackets
            listed = f"{opening}{self.comma.join(written)}{closing}"
            body = f"{self.marks[0]}{self.before}{listed}{self.after}"
        else:
            mark = "" if self.bare else self.marks[0]
            body = self.between.join(f"{mark}{one}{self.after}" for one in written)
        return f"{start}{body}{end}"

    def one(self, call: ToolCall, index: int = 0) -> str:
        """One call, without what stands around it."""
        if self.listed and not self.is_json:
            return f"{call.name}{self.syntax.write(call.arguments)}"
        if self.named_before:
            before = self.before.replace("{name}", call.name).replace("{index}", str(index))
            return f"{before.replace('{id}', call.id)}{self.syntax.write(call.arguments)}"
        before = "" if self.listed else self.before
        name = json.dumps(call.name, ensure_ascii=False)
        head = self.call.replace("{name}", name).replace("{index}", str(index))
        return f"{before}{head.replace('{arguments}', call.arguments)}"

    def fitted(self, rendered: str, name: str) -> ToolFormat:
        """This format with the space that a template puts around a call's JSON.

        Args:
            rendered: a conversation with a call, as the template writes it.
            name: the called tool's.
        """
        if self.named_before or self.bare or not self.is_json:
            return self
        closer = self.closers[0] if self.closers else ""
        mark = re.escape(self.marks[0])
        call = re.search(
            rf"{mark}(\s*)[\[{{](?:(?!{mark}).)*?{re.escape(name)}.*?[\]}}](\s*){re.escape(closer)}",
            rendered,
            re.DOTALL,
        )
        if call is None:
            return self
        return replace(self, before=call[1], after=f"{call[2]}{closer}" if closer else "")
