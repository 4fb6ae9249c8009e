"""Tool calls in OpenAI's shape, and which of them an answer may make."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text import messages as conversation

_ID_LETTERS = string.ascii_letters + string.digits
_NAME = re.compile(r"[\w.:/-]{1,128}")
"""Some notations have a name bare, so no space, quote or bracket can be in it."""
_ID_LENGTH = 9
"""What Mistral's templates insist on; other models take any."""


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool, as OpenAI's `tool_calls` has it."""

    id: str
    """What the tool's result refers to: the model's own, or else nine letters and digits."""
    name: str
    arguments: str
    """The arguments as the model wrote them: the JSON text of an object."""

    def message(self) -> dict[str, Any]:
        """The entry of an assistant message's `tool_calls`."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


def new_id() -> str:
    """A random id of a call."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))


@dataclass(frozen=True)
class Tool:
    """A tool definition, taken apart."""

    name: str
    parameters: Any
    """The JSON Schema of the arguments."""
    definition: dict[str, Any]
    """As the templates want it: `{"type": "function", "function": {…}}`."""


@dataclass(frozen=True)
class ToolChoice:
    """What `tool_choice` asks for, with the tools that it leaves."""

    mode: Literal["auto", "required", "none"]
    callable: tuple[Tool, ...]
    """The tools that may be called."""
    many: bool = True
    """Whether an answer may call more than once."""


def parse_tools(tools: Any) -> tuple[Tool, ...]:
    """Tool definitions in OpenAI's shape; the function's object alone is taken too.

    Raises:
        InvalidRequestError: one is not of that shape, or two have the same name.
    """
    found: dict[str, Tool] = {}
    for index, definition in enumerate(conversation.checked_tools(tools) or ()):
        function = definition.get("function", definition)
        name = function["name"]
        if not _NAME.fullmatch(name):
            raise InvalidRequestError(
                f"[tools] tools[{index}] has the name {name!r}; give one of at most 128 letters, "
                "digits and characters of '_-.:/'."
            )
        if name in found:
            raise InvalidRequestError(
                f"[tools] two tools are named {name!r}; give each a name of its own."
            )
        parameters = function.get("parameters")
        if parameters is None:
            parameters = {"type": "object", "properties": {}}
        if not isinstance(parameters, dict):
            raise InvalidRequestError(
                f"[tools] the parameters of {name!r} are a {type(parameters).__name__}; give a "
                "JSON Schema of an object."
            )
        is_whole = "function" in definition
        whole = definition if is_whole else {"type": "function", "function": definition}
        found[name] = Tool(name, parameters, whole)
    return tuple(found.values())


def parse_choice(choice: Any, tools: Sequence[Tool]) -> ToolChoice:
    """OpenAI's `tool_choice`: "auto", "none", "required", or one tool by name.

    Raises:
        InvalidRequestError: it is none of these, or names a tool that was not given.
    """
    name = _chosen_name(choice)
    if name is not None:
        chosen = tuple(tool for tool in tools if tool.name == name)
        if not chosen:
            known = ", ".join(tool.name for tool in tools) or "none"
            raise InvalidRequestError(
                f"[tools] tool_choice names {name!r}, which is not among the tools; name one of: "
                f"{known}."
            )
        return ToolChoice("required", chosen, many=False)
    if choice == "required" and not tools:
        raise InvalidRequestError(
            "[tools] tool_choice is 'required' without tools; give tools, or 'auto'."
        )
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice, tuple(tools))
    raise InvalidRequestError(
        f"[tools] tool_choice is {choice!r}; give 'auto', 'none', 'required' or "
        "{'type': 'function', 'function': {'name': …}}."
    )


def _chosen_name(choice: Any) -> str | None:
    if not isinstance(choice, Mapping) or choice.get("type", "function") != "function":
        return None
    function = choice.get("function", choice)
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else None
