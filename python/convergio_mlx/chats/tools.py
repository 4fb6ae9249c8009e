"""Tools and their calls, in OpenAI's shape."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convergio_mlx.chats.function_tools import Function, definition_of
from convergio_mlx.chats.tool_shapes import openai_shape
from convergio_mlx.errors import InvalidRequestError
from convergio_mlx.text import messages as conversation

_ID_LETTERS = string.ascii_letters + string.digits
_NAME = re.compile(r"[\w.:/-]{1,128}")
"""Some tool-call formats have a name bare, so no space, quote or bracket can be in it."""
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
    unenforced: tuple[str, ...] = ()
    """What of the tool's schema the arguments were not held to, a clause each: check it. Empty
    where they are valid."""

    def message(self) -> dict[str, Any]:
        """The entry of an assistant message's `tool_calls`."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


def new_id() -> str:
    """A random id of a call."""
    import secrets

    return "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))


@dataclass(frozen=True)
class ToolDefinition:
    """A function that the model may ask to be called."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )
    """JSON Schema of its arguments."""

    def openai(self) -> dict[str, Any]:
        """In the shape of OpenAI's API."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class Tool:
    """A tool definition, taken apart."""

    name: str
    parameters: Any
    """The JSON Schema of the arguments."""
    definition: dict[str, Any]
    """As the templates want it: `{"type": "function", "function": {…}}`."""
    function: Function | None = None
    """What it was made from, which `run_tools` calls."""


def parse_tools(tools: Any) -> tuple[Tool, ...]:
    """Tools as functions, as `ToolDefinition`s, or in the shape of OpenAI, MCP or Anthropic.

    Raises:
        InvalidRequestError: one is of no such shape, or two have the same name.
    """
    found: dict[str, Tool] = {}
    functions: dict[int, Function] = {}
    if isinstance(tools, list | tuple):
        functions = {index: tool for index, tool in enumerate(tools) if callable(tool)}
        tools = [_definition(tool) for tool in tools]
    for index, definition in enumerate(conversation.checked_tools(tools) or ()):
        whole = openai_shape(definition, f"tools[{index}]")
        function = whole["function"]
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
        found[name] = Tool(name, parameters, whole, functions.get(index))
    return tuple(found.values())


def _definition(tool: Any) -> Any:
    if isinstance(tool, ToolDefinition):
        return tool.openai()
    return definition_of(tool) if callable(tool) else tool
