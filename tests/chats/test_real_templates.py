"""A whole trip with each real chat template: a conversation with calls, results and reasoning
reaches the model, and the answer that the template would write of a model is read back."""

import json
from functools import cache
from typing import Any

import pytest

import vocabularies
from convergio_mlx.chats import reasoning
from convergio_mlx.chats.event_parser import EventParser
from convergio_mlx.chats.events import ReasoningEvent, ToolCallEvent
from convergio_mlx.chats.planning import plan
from convergio_mlx.chats.request import ChatRequest
from convergio_mlx.chats.tool_parser import ToolParser
from convergio_mlx.text.tokenizer import Tokenizer

EVERY = {
    path.stem: path
    for folder in ("chat_templates", "chat_templates_2026")
    for path in sorted((vocabularies.DATA / folder).glob("*.jinja"))
}
VARIABLES = {"firefunction": {"functions": "[]", "datetime": "now"}}
SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Its name."},
        "days": {"type": "integer", "description": "How many."},
    },
    "required": ["city"],
}
TOOLS = [
    {
        "type": "function",
        "function": {"name": name, "description": "It is so.", "parameters": SCHEMA},
    }
    for name in ("get_weather", "get_time")
]
FIRST = {"city": "3", "days": 2}


def call(name: str, arguments: dict[str, Any], number: int) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": f"call_{number:024}", "type": "function", "function": function}


def result(number: int) -> dict[str, Any]:
    content = f"result{number}x"
    return {"role": "tool", "tool_call_id": f"call_{number:024}", "content": content}


TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "sys7sys"},
    {"role": "user", "content": "one1one"},
    {
        "role": "assistant",
        "reasoning_content": "hm2hm",
        "tool_calls": [call("get_weather", FIRST, 1)],
    },
    result(1),
    {"role": "assistant", "content": "two2two"},
    {"role": "user", "content": "three3three"},
]
ANSWER = {"role": "assistant", "tool_calls": [call("get_time", {"city": "Oslo"}, 2)]}


@cache  # what a template takes is found out once
def tokenizer(name: str) -> Tokenizer:
    return Tokenizer(
        vocabularies.byte_level(),
        {"bos_token": "<s>", "eos_token": "</s>"},
        chat_templates={"default": EVERY[name].read_text(encoding="utf-8")},
    )


def rendered(name: str, messages: list[dict[str, Any]], prompt: bool) -> tuple[str, Any]:
    """What reaches the model, and the plan."""
    made = plan(tokenizer(name), ChatRequest.of("chat", messages, None, TOOLS, {}))
    variables = next((more for part, more in VARIABLES.items() if part in name), {})
    chat = made.tokenizer.chat_template(tools=True)
    text = chat.render(
        made.messages,
        made.tools,
        add_generation_prompt=prompt,
        chat_template_kwargs=variables,
        allow_lost_messages=not prompt,
    )
    return text, made


FAMILIES = {
    "apertus": ("Apertus",),
    "cohere": ("r7b-12-2024-tool_use", "Cohere2MoE"),
    "command_r": ("command-r-plus",),
    "deepseek": ("DeepSeek-R1", "DeepSeek-V3"),
    "deepseek31": ("DeepSeek-V3.1",),
    "functionary32": ("functionary",),
    "gemma4": ("gemma-4",),
    "gigachat": ("GigaChat",),
    "glm": ("GLM-4", "Laguna"),
    "harmony": ("gpt-oss",),
    "jamba": ("Jamba", "Apriel"),
    "kimi": ("Kimi",),
    "lfm2": ("LFM2-8B",),
    "llama3": ("Llama-3.1-8B-Instruct", "Llama-3.2"),
    "llama4": ("Llama-4",),
    "minimax": ("MiniMax",),
    "mistral": ("Nemo",),
    "mistral_args": ("Devstral", "Ministral"),
    "muse": ("Muse",),
    "nemotron": ("Nemotron-Nano-v2",),
    "phi": ("granite-3.3", "firefunction"),
    "qwen3_coder": ("Qwen3-Coder", "Qwen3.5", "Qwen3.8", "Nemotron-3", "Step-3.5"),
    "seed": ("Seed-OSS",),
    "solar": ("Solar",),
}
"""Formats by parts of the templates' names; the longest part counts, and Hermes' is the rest."""


def family(name: str) -> str:
    parts = [
        (len(part), known) for known, all_ in FAMILIES.items() for part in all_ if part in name
    ]
    return "hermes" if "Hermes" in name else max(parts, default=(0, "hermes"))[1]


@pytest.mark.parametrize("name", EVERY)
def test_each_template_has_the_format_of_its_family(name: str) -> None:
    _, made = rendered(name, TALK, prompt=True)
    assert made.tool_format.name == family(name)


@pytest.mark.parametrize("name", EVERY)
def test_an_answer_of_text_reasoning_and_a_call_is_taken_back(name: str) -> None:
    said = {**TALK[2], "content": "say2say"}
    text, _ = rendered(name, [*TALK[:2], said, *TALK[3:]], prompt=True)
    assert "result1x" in text


@pytest.mark.parametrize("name", EVERY)
def test_a_conversation_with_calls_reaches_every_real_template(name: str) -> None:
    text, made = rendered(name, TALK, prompt=True)
    for wanted in ("sys7sys", "one1one", "two2two", "three3three", "result1x"):
        assert wanted in text, wanted
    assert text.count("get_weather") >= 2, "the tool and its call"
    assert "get_time" in text
    whole, _ = rendered(name, [*TALK, ANSWER], prompt=False)
    at = next(i for i in range(len(text) + 1) if text[: i + 1] != whole[: i + 1])
    if whole[at - 1] not in "\n >}":  # amid a mark that the prompt goes on with otherwise
        at = whole.rindex("<", 0, at)
    answer = whole[at:]
    if made.marks is not None and made.marks.channels is None:
        answer = answer.partition(made.marks.end)[2] or answer
    splitter = None
    if made.marks is not None and made.marks.channels is not None:
        splitter = reasoning.splitter(made.marks, inside=False)
    parser = EventParser(splitter, ToolParser(made.tool_format, {"get_time": SCHEMA}))
    events = [*parser.feed(answer), *parser.finish(cut=False)]
    calls = [event.call for event in events if isinstance(event, ToolCallEvent)]
    assert [(one.name, json.loads(one.arguments)) for one in calls] == [
        ("get_time", {"city": "Oslo"})
    ], (made.tool_format.name, answer)
    assert not [event for event in events if isinstance(event, ReasoningEvent)]
