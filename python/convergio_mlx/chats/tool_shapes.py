"""Tool definitions in the shapes that hosts have them in, made OpenAI's.

OpenAI's chat completions (`{"type": "function", "function": {…}}`) and responses (the function's
fields beside the type), MCP's (`inputSchema`) and Anthropic's (`input_schema`). A field that none
of them has is refused by name: a misspelled one would otherwise be lost.
"""

from __future__ import annotations

from typing import Any, NoReturn

from convergio_mlx.errors import InvalidRequestError

_OUTER = frozenset(("type", "function"))
_FUNCTION = frozenset(("name", "description", "parameters", "strict", "return", "response"))
"""OpenAI's, and the schema of the result that transformers and FunctionGemma's template know."""
_SCHEMAS = ("parameters", "inputSchema", "input_schema")
_SHAPES = {
    "parameters": frozenset(("type",)) | _FUNCTION,
    "inputSchema": frozenset(
        ("name", "title", "description", "inputSchema", "outputSchema", "annotations", "icons")
    )
    | {"execution", "_meta"},
    "input_schema": frozenset(("type", "name", "description", "input_schema", "cache_control")),
}
"""The fields of each flat shape, by the one that holds the schema."""
_TYPES = ("function", "custom", None)


def openai_shape(tool: dict[str, Any], where: str) -> dict[str, Any]:
    """A definition in the shape of OpenAI's chat completions.

    Args:
        tool: plain data with a name, in its `function` or beside it.
        where: which one it is, for errors.

    Raises:
        InvalidRequestError: it has a field or a type that is in none of the shapes.
    """
    if tool.get("type") not in _TYPES:
        raise InvalidRequestError(
            f"[tools] {where} is of type {tool['type']!r}; give functions, of type 'function'."
        )
    if "function" in tool:
        _check(tool, _OUTER, where)
        _check(tool["function"], _FUNCTION, f"{where}['function']")
        return {"type": "function", **tool}
    held = [key for key in _SCHEMAS if key in tool]
    if len(held) > 1:
        raise InvalidRequestError(
            f"[tools] {where} has both {held[0]!r} and {held[1]!r}; give one of them."
        )
    schema = held[0] if held else "parameters"
    _check(tool, _SHAPES[schema], where)
    function = {key: value for key, value in tool.items() if key in _FUNCTION}
    if schema != "parameters":
        function["parameters"] = tool[schema]
    return {"type": "function", "function": function}


def _check(given: dict[str, Any], known: frozenset[str], where: str) -> None:
    for key in given:
        if key not in known:
            _refuse(where, key, known)


def _refuse(where: str, key: str, known: frozenset[str]) -> NoReturn:
    raise InvalidRequestError(
        f"[tools] {where} has the field {key!r}, which no tool has; give {', '.join(sorted(known))}"
        "."
    )
