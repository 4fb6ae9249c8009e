"""OpenAI's `tool_choice`: which calls an answer may make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from convergio_mlx.chats.tools import Tool
from convergio_mlx.errors import InvalidRequestError

_CHOICES = (
    "give 'auto', 'none', 'required', {'type': 'function', 'function': {'name': …}} or "
    "{'type': 'allowed_tools', 'allowed_tools': {'mode': …, 'tools': […]}}"
)


@dataclass(frozen=True)
class ToolChoice:
    """What `tool_choice` asks for, with the tools that it leaves."""

    mode: Literal["auto", "required", "none"]
    callable: tuple[Tool, ...]
    """The tools that may be called."""
    many: bool = True
    """Whether an answer may call more than once."""
    is_named: bool = False
    """Whether it is one tool, by its name."""
    is_subset: bool = False
    """Whether it is some of the tools, by their names."""

    def openai(self) -> str | dict[str, Any]:
        """In the shape of OpenAI's API."""
        functions = [
            {"type": "function", "function": {"name": tool.name}} for tool in self.callable
        ]
        if self.is_named:
            return functions[0]
        if self.is_subset:
            allowed = {"mode": self.mode, "tools": functions}
            return {"type": "allowed_tools", "allowed_tools": allowed}
        return self.mode


def parse_choice(choice: Any, tools: Sequence[Tool], parallel: Any = None) -> ToolChoice:
    """OpenAI's `tool_choice`: "auto", "none", "required", one tool by name, or some of them.

    Args:
        choice: one of these.
        tools: those that were given.
        parallel: OpenAI's `parallel_tool_calls`.

    Raises:
        InvalidRequestError: it is none of these, or names a tool that was not given; `parallel` is
            neither True nor False nor None.
    """
    if parallel is not None and not isinstance(parallel, bool):
        raise InvalidRequestError(
            f"[tools] parallel_tool_calls is {parallel!r}, which must be True, False or None; give "
            "one of them."
        )
    many = parallel is not False
    if isinstance(choice, Mapping) and choice.get("type") == "allowed_tools":
        return _subset(choice, tools, many)
    name = _chosen_name(choice)
    if name is not None:
        return ToolChoice("required", (_named(name, tools),), many=False, is_named=True)
    if choice == "required" and not tools:
        raise InvalidRequestError(
            "[tools] tool_choice is 'required' without tools; give tools, or 'auto'."
        )
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice, tuple(tools), many=many)
    raise InvalidRequestError(f"[tools] tool_choice is {choice!r}; {_CHOICES}.")


def _subset(choice: Mapping[str, Any], tools: Sequence[Tool], many: bool) -> ToolChoice:
    """Of `allowed_tools`, as chat completions nest it or as responses have it."""
    allowed = choice.get("allowed_tools", {key: choice[key] for key in choice if key != "type"})
    nested = "allowed_tools" in choice
    if nested:
        _refuse_others(choice, ("type", "allowed_tools"))
    if not isinstance(allowed, Mapping):
        raise InvalidRequestError(f"[tools] allowed_tools is {allowed!r}; {_CHOICES}.")
    _refuse_others(allowed, ("mode", "tools"))
    mode, named = allowed.get("mode", "auto"), allowed.get("tools")
    names = [_chosen_name(one) for one in named] if isinstance(named, list) else []
    if mode not in ("auto", "required") or not names or None in names:
        raise InvalidRequestError(
            f"[tools] allowed_tools is {dict(allowed)!r}; give the mode 'auto' or 'required' and "
            "the tools as {'type': 'function', 'function': {'name': …}}."
        )
    chosen = {name: _named(name, tools) for name in names if name is not None}
    return ToolChoice(mode, tuple(chosen.values()), many=many, is_subset=True)


def _named(name: str, tools: Sequence[Tool]) -> Tool:
    for tool in tools:
        if tool.name == name:
            return tool
    known = ", ".join(tool.name for tool in tools) or "none"
    raise InvalidRequestError(
        f"[tools] tool_choice names {name!r}, which is not among the tools; name one of: {known}."
    )


def _chosen_name(choice: Any) -> str | None:
    if not isinstance(choice, Mapping) or choice.get("type", "function") != "function":
        return None
    function = choice.get("function", choice)
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str):
        return None
    if function is choice:
        _refuse_others(choice, ("type", "name"))
    else:
        _refuse_others(choice, ("type", "function"))
        _refuse_others(function, ("name",))
    return name


def _refuse_others(given: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise InvalidRequestError(
                f"[tools] tool_choice has the field {name!r}, which is not known there; {_CHOICES}."
            )
