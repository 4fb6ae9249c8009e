"""Fields that Anthropic's messages and the count of their tokens share, in OpenAI's shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convergio_mlx.server.anthropic_blocks import openai_messages
from convergio_mlx.server.body import Fields
from convergio_mlx.server.openai_fields import with_effort
from convergio_mlx.server.problems import refusal

NEUTRAL = ("metadata", "service_tier", "inference_geo", "cache_control")
DISPLAYS = ("summarized", "omitted")
"""What `thinking.display` may be. Nothing is summarized: reasoning is there as it is, or not."""
_MOST_TOKENS = (1 << 31) - 1


@dataclass
class Asked:
    """A request, read, in OpenAI's shapes."""

    model: str
    messages: list[Any]
    tools: list[Any]
    options: dict[str, Any]
    shows_thinking: bool
    """Whether an answer has the reasoning in it."""


def read(fields: Fields) -> Asked:
    """Takes these fields of a body."""
    fields.drop(NEUTRAL)
    model = fields.text("model")
    messages = openai_messages(fields.take("system"), fields.items("messages"))
    tools = fields.items("tools")
    thinking, shows = _thinking(fields)
    options = _with_form(fields, {**thinking, **_choice(fields)})
    return Asked(model, messages, tools, options, shows)


def _thinking(fields: Fields) -> tuple[dict[str, Any], bool]:
    """`thinking`: whether the model reasons, and how much; and whether that is shown."""
    thinking = fields.fields("thinking")
    if thinking is None:
        return {}, True
    kind, display = thinking.text("type"), thinking.text("display", "summarized")
    given = thinking.several(("budget_tokens",))
    thinking.end()
    if kind not in ("enabled", "disabled", "adaptive"):
        raise refusal(
            f"[server] thinking.type is {kind[:80]!r}; give enabled, adaptive or disabled.",
            "thinking.type",
        )
    if display not in DISPLAYS:
        raise refusal(
            f"[server] thinking.display is {display[:80]!r}; give {' or '.join(DISPLAYS)}.",
            "thinking.display",
        )
    options: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": kind != "disabled"}}
    if given:  # read of any type, so that what is no number is told
        budget = Fields(given, "thinking").whole("budget_tokens", None, 0, _MOST_TOKENS)
        options |= {} if kind == "disabled" else {"reasoning_budget": budget}
    return options, display != "omitted"


def _choice(fields: Fields) -> dict[str, Any]:
    """`tool_choice`, as OpenAI has it."""
    choice = fields.fields("tool_choice")
    if choice is None:
        return {}
    kind, serial = choice.text("type"), choice.flag("disable_parallel_tool_use")
    given: dict[str, Any] = {"parallel_tool_calls": False} if serial else {}
    if kind == "tool":
        function = {"name": choice.text("name")}
        given["tool_choice"] = {"type": "function", "function": function}
    else:
        given["tool_choice"] = {"any": "required"}.get(kind, kind)
    choice.end()
    return given


def _with_form(fields: Fields, options: dict[str, Any]) -> dict[str, Any]:
    """Options with `output_config`: the schema of the answer, and how much the model reasons."""
    config = fields.fields("output_config")
    if config is None:
        return options
    options, wanted = with_effort(config.take("effort"), options), config.fields("format")
    config.end()
    if wanted is None:
        return options
    wanted.only("type", ("json_schema",), "json_schema is what there is")
    schema = wanted.take("schema")
    wanted.end()
    form = {"type": "json_schema", "json_schema": {"schema": schema}}
    return {**options, "response_format": form}
