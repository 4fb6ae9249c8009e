"""What each path takes, as JSON Schema: the fields that its reader takes, and their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from convergio_mlx.server import anthropic_fields as anthropic
from convergio_mlx.server import ollama, openai_responses
from convergio_mlx.server import openai_fields as openai

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
PASSED: Schema = {"description": "Passed over: it changes nothing of an answer here."}
_COUNT: Schema = {"type": "integer", "minimum": 1}
_PART: Schema = {
    "type": "object",
    "properties": {"type": {"const": "text"}, "text": TEXT},
    "required": ["type", "text"],
}
_CONTENT: Schema = {"anyOf": [TEXT, {"type": "array", "items": _PART}]}
_SAID: Schema = {
    "type": "object",
    "properties": {"role": TEXT, "content": _CONTENT},
    "required": ["role", "content"],
}
_CALLED: Schema = {
    "type": "object",
    "properties": {
        "role": {"const": "assistant"},
        "content": {"anyOf": [_CONTENT, {"type": "null"}]},
        "tool_calls": {"type": "array", "items": OBJECT},
    },
    "required": ["role"],
}


def _messages(*kinds: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": {"anyOf": [*kinds]}}


_TOOLS: Schema = {"type": "array", "items": OBJECT}
_STOP: Schema = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}
_TOP: Schema = {"type": "integer", "minimum": 0, "maximum": 20}
_CHOICE: Schema = {"anyOf": [{"enum": ["auto", "none", "required"]}, OBJECT]}
_OPTIONS: dict[str, Schema] = {
    **dict.fromkeys(("temperature", "top_p", "min_p", "repetition_penalty"), NUMBER),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), NUMBER),
    **dict.fromkeys(("seed", "top_k"), WHOLE),
    "stop": _STOP,
    "stop_token_ids": {"type": "array", "items": WHOLE},
    **dict.fromkeys(("ignore_eos", "speculate"), FLAG),
    "priority": {"anyOf": [{"enum": ["background", "normal", "interactive"]}, WHOLE]},
    "service_tier": {"description": "`priority` goes first, `flex` last, any other is as usual."},
    "tool_choice": _CHOICE,
    "parallel_tool_calls": FLAG,
    "response_format": OBJECT,
    "reasoning_budget": {"type": "integer", "minimum": 0},
    "chat_template_kwargs": OBJECT,
    **dict.fromkeys(("allow_lost_messages", "special_tokens_in_messages"), FLAG),
    "logit_bias": {"type": "object", "additionalProperties": NUMBER},
    "num_predict": WHOLE,
    "repeat_penalty": NUMBER,
}
"""Options of an answer, by any name that they have."""
_ORDER = ("priority", "service_tier")


def only(*values: Any) -> Schema:
    """A field of which some values alone are taken."""
    return {"enum": [*values], "description": "Any other value is refused."}


def closed(fields: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """An object of these fields and no others; those that are not required may be null."""
    needed = [*required]
    properties = {
        name: schema if name in needed or schema is PASSED else _or_null(schema)
        for name, schema in fields.items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": needed,
        "additionalProperties": False,
    }


def _or_null(schema: Schema) -> Schema:
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {"anyOf": [schema, {"type": "null"}]}


def _options(*names: str) -> dict[str, Schema]:
    return {name: _OPTIONS[name] for name in names}


def _passed(*names: str) -> dict[str, Schema]:
    return dict.fromkeys(names, PASSED)


_STREAM_OPTIONS = closed({"include_usage": FLAG, **_passed("include_obfuscation")})
_COMPLETION = {
    **_passed(*openai.NEUTRAL),
    **_options(*openai.SAMPLING, *openai.OWN, *_ORDER),
    **_options("logit_bias", "special_tokens_in_messages"),
    "max_tokens": _COUNT,
    "n": {"type": "integer", "minimum": 1, "maximum": openai.MOST_ANSWERS},
    "stream": FLAG,
    "stream_options": _STREAM_OPTIONS,
}
"""What both of OpenAI's completions take."""
_TURN = closed(
    {
        "role": {"enum": ["user", "assistant"]},
        "content": {"anyOf": [TEXT, {"type": "array", "items": OBJECT}]},
    },
    ("role", "content"),
)
_SPOKEN = closed(
    {
        "role": TEXT,
        "content": TEXT,
        "images": only([]),
        **dict.fromkeys(("thinking", "tool_name", "tool_call_id"), TEXT),
        "tool_calls": {"type": "array", "items": OBJECT},
    },
    ("role",),
)
_ANTHROPIC = {
    **_passed(*anthropic.NEUTRAL),
    "system": {"anyOf": [TEXT, {"type": "array", "items": OBJECT}]},
    "tools": _TOOLS,
    "tool_choice": {
        "type": "object",
        "properties": {"type": {"enum": ["auto", "any", "none", "tool"]}},
        "required": ["type"],
    },
    "thinking": {
        "type": "object",
        "properties": {
            "type": {"enum": ["enabled", "disabled", "adaptive"]},
            "budget_tokens": _or_null({"type": "integer", "minimum": 0}),
            "display": _or_null({"enum": [*anthropic.DISPLAYS]}),
        },
        "required": ["type"],
    },
    "output_config": closed({"effort": TEXT, "format": OBJECT}),
}
"""What Anthropic's messages and their count take."""


def requests(model: Schema = TEXT) -> dict[str, Schema]:
    """What each path takes, as JSON Schema.

    Args:
        model: of a model's id.
    """
    messages = {"model": model, "messages": _messages(_SAID, _CALLED)}
    turns = {"model": model, "messages": _messages(_TURN)}
    spoken = {"model": model, "messages": _messages(_SPOKEN)}
    return {
        "/v1/chat/completions": closed(
            {
                **messages,
                **_COMPLETION,
                **_options(*openai.TEMPLATE, "tool_choice", "parallel_tool_calls"),
                **_options("response_format", "reasoning_budget"),
                "max_completion_tokens": _COUNT,
                "reasoning_effort": TEXT,
                "tools": _TOOLS,
                "logprobs": FLAG,
                "top_logprobs": _TOP,
                "modalities": only(["text"]),
                "verbosity": only("medium"),
            },
            messages,
        ),
        "/v1/completions": closed(
            {
                "model": model,
                "prompt": {"anyOf": [TEXT, {"type": "array", "minItems": 1}]},
                **_COMPLETION,
                "logprobs": {"type": "integer", "minimum": -1, "maximum": 20},
                "echo": only(False),
                "suffix": only(""),
                "best_of": {**WHOLE, "description": "As many as `n`."},
            },
            ("model", "prompt"),
        ),
        "/v1/responses": closed(
            {
                "model": model,
                "input": {"anyOf": [TEXT, {"type": "array", "items": OBJECT}]},
                **_passed(*openai_responses.NEUTRAL),
                **_options("temperature", "top_p", "parallel_tool_calls", *openai.TEMPLATE),
                **_options(*_ORDER),
                "instructions": TEXT,
                "max_output_tokens": _COUNT,
                "tools": _TOOLS,
                "tool_choice": _CHOICE,
                "text": closed({"format": OBJECT, "verbosity": only("medium")}),
                "reasoning": closed(
                    {"effort": TEXT, **_passed("summary", "generate_summary", "context")}
                ),
                "include": {"type": "array", "items": only(*openai_responses.INCLUDED)},
                "top_logprobs": _TOP,
                "stream": FLAG,
                "stream_options": _STREAM_OPTIONS,
                **dict.fromkeys(("previous_response_id", "conversation", "prompt"), only()),
                "truncation": only("disabled"),
                "background": only(False),
            },
            ("model", "input"),
        ),
        "/v1/messages": closed(
            {
                **turns,
                "max_tokens": _COUNT,
                **_ANTHROPIC,
                **_options("temperature", "top_p", "top_k"),
                "stop_sequences": {"type": "array", "items": TEXT},
                "stream": FLAG,
                "thread": only(),
            },
            ("model", "messages", "max_tokens"),
        ),
        "/v1/messages/count_tokens": closed({**turns, **_ANTHROPIC}, turns),
        "/api/chat": closed(
            {
                **spoken,
                **_passed("keep_alive"),
                "tools": _TOOLS,
                "stream": FLAG,
                "options": closed({**_options(*ollama.OPTIONS), **_passed(*ollama.MACHINE)}),
                "think": {"anyOf": [FLAG, TEXT]},
                "format": {"anyOf": [{"enum": ["", "json"]}, OBJECT]},
            },
            spoken,
        ),
    }
