"""How models write tool calls: a table of notations, found by what template and tokenizer have.

A notation is data: the marks that begin a call, what may stand between mark and JSON, and what ends
it. The parser (tool_parser.py) reads calls by it, the grammar (grammar.py) allows them
by it, and the default prompt (tool_prompt.py) shows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from convergio_mlx.answers.tool_calls import ToolCall
from convergio_mlx.text.tokenizer import Tokenizer

_PLAIN = r"\s*(?=[\[{])"
"""Nothing but space between mark and JSON."""

_SEPARATORS = ("<｜tool▁sep｜>", "[ARGS]", "[CALL_ID]")
"""Between name and arguments."""


@dataclass(frozen=True)
class ToolFormat:
    """A notation of tool calls."""

    name: str
    signs: tuple[str, ...]
    """Any of these in a chat template, or as a token, tells that the model writes so."""
    marks: tuple[str, ...]
    """Each begins a call, or a list of calls; the first is the one to write."""
    before: str
    """What is written between mark and JSON, with `{name}` where the tool's name stands there."""
    after: str
    """What is written after a call's JSON."""
    closers: tuple[str, ...]
    """What belongs to the call when it follows it."""
    around: tuple[str, str] = ("", "")
    """What is written before the first call of an answer and after the last."""
    between: str = "\n"
    """What is written between two calls."""
    header: str = _PLAIN
    """A pattern of all that may stand between mark and JSON; its group `name`, where it has one, is
    the tool's name, and the JSON is then the arguments alone."""
    listed: bool = False
    """One mark for all calls, which are a JSON list."""
    arguments: str = "arguments"
    """The member that holds the arguments."""
    bare: bool = False
    """An answer that is a call's JSON alone, without a mark, is a call."""

    @property
    def named_before(self) -> bool:
        """Whether the name stands before the JSON, which is the arguments alone."""
        return "{name}" in self.before

    @property
    def spelled(self) -> tuple[str, ...]:
        """All marks, which a vocabulary may have as special tokens."""
        return (*self.marks, *self.closers, *filter(None, self.around), *_SEPARATORS)

    def write(self, calls: Sequence[ToolCall]) -> str:
        """The calls as the model would write them."""
        start, end = self.around
        if self.listed:
            body = f"{self.marks[0]}{self.before}[{', '.join(map(self._json, calls))}]{self.after}"
        else:
            body = self.between.join(map(self._one, calls))
        return f"{start}{body}{end}"

    def fitted(self, rendered: str, name: str) -> ToolFormat:
        """This notation with the space that a template puts around a call's JSON.

        Args:
            rendered: a conversation with a call, as the template writes it.
            name: the called tool's.
        """
        if self.named_before or self.bare:
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

    def _one(self, call: ToolCall) -> str:
        mark = "" if self.bare else self.marks[0]
        before = self.before.replace("{name}", call.name)
        return f"{mark}{before}{self._json(call)}{self.after}"

    def _json(self, call: ToolCall) -> str:
        if self.named_before:
            return call.arguments
        name = json.dumps(call.name, ensure_ascii=False)
        return f'{{"name": {name}, "{self.arguments}": {call.arguments}}}'


HERMES = ToolFormat(
    name="hermes",
    signs=("<tool_call>",),
    marks=("<tool_call>",),
    before="\n",
    after="\n</tool_call>",
    closers=("</tool_call>",),
)
"""NousResearch's Hermes, Qwen, and the embedded model; also what models without a notation of their
own are told to write."""

_DEEPSEEK_HEADER = (
    r"\s*(?:<｜tool▁call▁begin｜>)?\s*(?:function)?<｜tool▁sep｜>(?P<name>[^\s<>{}]+)\s*"
    r"(?:```(?:json)?\s*)?(?=\{)"
    r"|\s*(?:<｜tool▁call▁begin｜>)?\s*(?P<name_first>[^\s<>{}]+)<｜tool▁sep｜>\s*(?=\{)"
)
_MISTRAL_HEADER = (
    _PLAIN + r"|\s*(?P<name>[^\s\[\]{}]+)(?:\[CALL_ID\][^\[\]{}]*)?(?:\[ARGS\])?\s*(?=\{)"
)

FORMATS = (
    ToolFormat(  # DeepSeek V3 and R1; V3.1 has the name before the separator
        name="deepseek",
        signs=("<｜tool▁call▁begin｜>", "<｜tool▁calls▁begin｜>"),
        marks=("<｜tool▁call▁begin｜>", "<｜tool▁calls▁begin｜>"),
        before="function<｜tool▁sep｜>{name}\n```json\n",
        after="\n```<｜tool▁call▁end｜>",
        closers=("```", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"),
        around=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
        header=_DEEPSEEK_HEADER,
    ),
    ToolFormat(  # Mistral; tokenizers from v11 on have the name before the arguments
        name="mistral",
        signs=("[TOOL_CALLS]",),
        marks=("[TOOL_CALLS]",),
        before=" ",
        after="",
        closers=(),
        header=_MISTRAL_HEADER,
        listed=True,
    ),
    ToolFormat(  # Phi-4-mini; earlier ones call "functools"
        name="phi",
        signs=("<|tool_call|>", "<|/tool|>", "functools["),
        marks=("<|tool_call|>", "functools"),
        before="",
        after="<|/tool_call|>",
        closers=("<|/tool_call|>",),
        listed=True,
    ),
    HERMES,
    ToolFormat(  # Llama 3.1 to 3.3
        name="llama3",
        signs=("<|python_tag|>", '"parameters": '),
        marks=("<|python_tag|>",),
        before="",
        after="",
        closers=(";", "<|eom_id|>", "<|eot_id|>"),
        between="; ",
        arguments="parameters",
        bare=True,
    ),
)


def format_of(tokenizer: Tokenizer) -> ToolFormat:
    """The notation that a model was made with; Hermes' where neither its chat template nor its
    vocabulary has the marks of one."""
    source = tokenizer.chat_templates.get("tool_use") or tokenizer.chat_templates.get("default", "")
    for known in FORMATS:
        if any(sign in source for sign in known.signs):
            return known
    for known in FORMATS:
        if any(tokenizer.token_to_id(sign) is not None for sign in known.signs):
            return known
    return HERMES
