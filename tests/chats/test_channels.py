# ruff: noqa: E501 (answers are data, one a line)
"""Answers of several messages: gpt-oss, Muse, Solar and Functionary, wherever they are cut."""

import json
import sys
from pathlib import Path

import pytest

from convergio_mlx.chats.channels import ChannelSplitter
from convergio_mlx.chats.event_parser import EventParser
from convergio_mlx.chats.events import ReasoningEvent, TextEvent, ToolCallEvent
from convergio_mlx.chats.reasoning import IN_CHANNELS
from convergio_mlx.chats.tool_parser import ToolParser

sys.path.insert(0, str(Path(__file__).parent))
from cases import BY_NAME, TOOLS

Said = list[tuple[str, str]]
CHANNELS = {
    name: marks.channels
    for name, marks in zip(("harmony", "muse", "solar", "functionary32"), IN_CHANNELS, strict=True)
}
ROME = ("call get_weather", '{"city": "Rome"}')
NOW = ("call now", "{}")
A_CALL = (
    '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "Rome"}'
)
ATEM = (
    '<atem:function_calls>\n<atem:invoke name="get_weather">\n<atem:parameter name="city">Rome'
    "</atem:parameter>\n</atem:invoke>\n</atem:function_calls>"
)
CASES: list[tuple[str, str, str, Said]] = [
    ("an answer", "harmony", "<|channel|>final<|message|>It is 3 °C.<|return|>", [("text", "It is 3 °C.")]),
    ("reasoning, then an answer", "harmony",
     "<|channel|>analysis<|message|>Hm <b>.<|end|><|start|>assistant<|channel|>final<|message|>3.",
     [("reasoning", "Hm <b>."), ("text", "3.")]),
    ("reasoning, then a call", "harmony",
     f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant{A_CALL}<|call|>",
     [("reasoning", "Hm."), ROME]),
    ("the recipient before the channel", "harmony",
     ' to=functions.get_weather<|channel|>commentary json<|message|>{"city": "Rome"}<|call|>', [ROME]),
    ("text before a call", "harmony",
     f"<|channel|>commentary<|message|>I'll check.<|end|><|start|>assistant{A_CALL}",
     [("text", "I'll check."), ROME]),
    ("a call on the analysis channel, as code", "harmony",
     '<|channel|>analysis to=functions.get_weather code<|message|>{"city": "Rome"}<|call|>', [ROME]),
    ("no arguments", "harmony",
     "<|channel|>commentary to=functions.now <|constrain|>json<|message|>{}<|call|>", [NOW]),
    ("a stale recipient", "harmony",
     "<|channel|>commentary to=functions.now<|message|>So it is.<|end|>", [("text", "So it is.")]),
    ("a malformed header", "harmony", "<|channel|>commentary?<|message|>So.<|end|>", [("text", "So.")]),
    ("a doubled header", "harmony", "<|channel|><|channel|>final<|message|>So.", [("text", "So.")]),
    ("no header", "harmony", "It is 3 °C.", [("text", "It is 3 °C.")]),
    ("two texts", "harmony",
     "<|channel|>commentary<|message|>First.<|end|><|start|>assistant<|channel|>final<|message|>Then.",
     [("text", "First.\n\nThen.")]),
    ("an answer", "muse", " to=user<|message|>It is 3 °C.<|eot|>", [("text", "It is 3 °C.")]),
    ("reasoning and two calls", "muse",
     f" to=self<|message|>Hm.<|eom|><|start|>assistant to=get_weather<|message|>{ATEM}<|eom|>"
     "<|start|>assistant to=now<|message|><atem:function_calls>\n"
     '<atem:invoke name="now">\n</atem:invoke>\n</atem:function_calls><|eot|>',
     [("reasoning", "Hm."), ROME, NOW]),
    ("reasoning and an answer", "solar",
     "<|think|>Hm.<|end|><|begin|>assistant<|content|>It is 3 °C.<|end|>",
     [("reasoning", "Hm."), ("text", "It is 3 °C.")]),
    ("two calls", "solar",
     "<|tool_calls|><|tool_call:begin|>a1<|tool_call:name|>get_weather<|tool_call:args|>"
     '{"city": "Rome"}<|tool_call:end|><|tool_call:begin|>a2<|tool_call:name|>now<|tool_call:args|>'
     "{}<|tool_call:end|><|calls|>", [ROME, NOW]),
    ("an answer", "functionary32", "all\nIt is\n3 >> 2.", [("text", "It is\n3 >> 2.")]),
    ("text and two calls", "functionary32",
     'all\nLet me see.>>>get_weather\n{"city": "Rome"}>>>now\n{}', [("text", "Let me see."), ROME, NOW]),
    ("a call", "functionary32", 'get_weather\n{"city": "Rome"}', [ROME]),
    ("no header", "functionary32", "It is 3.", [("text", "It is 3.")]),
]  # fmt: skip


def read(name: str, pieces: list[str] | str, cut: bool = False) -> Said:
    """Events, adjoining ones of a kind put together."""
    channels = CHANNELS[name]
    assert channels is not None
    parser = EventParser(ChannelSplitter(channels), ToolParser(BY_NAME[name], TOOLS))
    events = [event for piece in pieces for event in parser.feed(piece)]
    out: Said = []
    for event in [*events, *parser.finish(cut)]:
        if isinstance(event, ToolCallEvent):
            arguments = event.call.arguments
            if event.complete:
                assert isinstance(json.loads(arguments), dict)
            out.append((f"call {event.call.name}", arguments))
            continue
        assert isinstance(event, TextEvent | ReasoningEvent)
        kind = "text" if isinstance(event, TextEvent) else "reasoning"
        if out and out[-1][0] == kind:
            out[-1] = (kind, out[-1][1] + event.text)
        else:
            out.append((kind, event.text))
    return out


@pytest.mark.parametrize(("case", "name", "answer", "said"), CASES, ids=lambda one: str(one)[:24])
def test_messages_are_read_alike_wherever_they_are_cut(
    case: str, name: str, answer: str, said: Said
) -> None:
    assert read(name, [answer]) == said
    assert read(name, answer) == said
    for place in range(len(answer) + 1):
        assert read(name, [answer[:place], answer[place:]]) == said, answer[:place]
        part = answer[:place]
        assert read(name, part, cut=True) == read(name, [part], cut=True), part
